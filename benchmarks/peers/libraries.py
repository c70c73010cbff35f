"""Other libraries as a script would use them, to be timed beside ours: weights hardly matter for that.

Each reads what it reads by default: MiniLM the first 512 word pieces of a post in transformers' pipeline and in
model2vec, the first 256 in sentence-transformers; scikit-learn and spaCy read it all.
"""

from __future__ import annotations

from peers import Read, Task

BATCH = 32
DIMENSIONS = 256  # of model2vec's embeddings
EPOCHS = 5  # of the head on them


def fit_ngrams(task: Task) -> Read:
    """Returns scikit-learn: TF-IDF of word and character n-grams, one logistic regression a label."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union

    ngrams = make_union(TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4)))
    model = make_pipeline(ngrams, OneVsRestClassifier(LogisticRegression(max_iter=1000)))
    return model.fit(task.train.texts, task.gold(task.train)).predict_proba


def make_classifier(task: Task) -> Read:
    """Returns transformers' pipeline: MiniLM in PyTorch with a head of our labels that nobody trained."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from peers.sentences import MINILM

    model = AutoModelForSequenceClassification.from_pretrained(
        task.base(MINILM), num_labels=len(task.labels), problem_type="multi_label_classification"
    )
    tokenizer = AutoTokenizer.from_pretrained(task.base(MINILM))
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    return lambda texts: classify(list(texts), batch_size=BATCH, truncation=True)


def fit_sentences(task: Task) -> Read:
    """Returns sentence-transformers: MiniLM's embeddings, one logistic regression a label."""
    from sentence_transformers import SentenceTransformer

    from peers.sentences import MINILM, fit_heads

    model = SentenceTransformer(task.base(MINILM))
    return fit_heads(task, lambda texts: model.encode(list(texts), batch_size=BATCH, show_progress_bar=False))


def fit_static(task: Task) -> Read:
    """Returns model2vec: static embeddings distilled from MiniLM here, and its own classifier on them."""
    from model2vec.distill import distill
    from model2vec.train import StaticModelForClassification

    from peers.sentences import MINILM

    model = StaticModelForClassification.from_static_model(model=distill(task.base(MINILM), pca_dims=DIMENSIONS))
    marks = [list(annotation.felt) for annotation in task.train.annotations]
    read = model.fit(list(task.train.texts), marks, max_epochs=EPOCHS).to_pipeline()
    return lambda texts: read.predict_proba(list(texts))


def part_sentences(task: Task) -> Read:
    """Returns spaCy's tokens and sentences by punctuation, and no feelings."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return lambda texts: [sum(1 for _ in doc.sents) for doc in nlp.pipe(texts)]
