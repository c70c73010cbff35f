"""A pretrained network of a few thousand numbers, written as the hub would give it."""

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = (
    "so what a happy glad day scared and full of dread the bins go out we had soup again rain on tent his bus was late"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_tiny_base(folder, seed=0):
    """Writes a BERT of two narrow layers and its vocabulary into ``folder``; returns the folder."""
    import torch

    torch.manual_seed(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = sorted(set(WORDS.split()) - set(letters))
    pieces = [*SPECIAL, *words, *letters, *"'.,!?", *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    config = BertConfig(
        vocab_size=len(pieces) + 2,  # some networks have more embeddings than their vocabulary has pieces
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    folder.mkdir(parents=True)
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
