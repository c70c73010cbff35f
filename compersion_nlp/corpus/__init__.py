"""Annotated passages: reading them, their marks as an array, and splits that keep groups whole.

A corpus is a JSON-lines file of annotations, or a split of a public data set. Where it does not annotate every label of
the scheme, the others are unknown for its passages, which is not the same as not felt.
"""

from compersion_nlp.corpus.files import KINDS as KINDS
from compersion_nlp.corpus.files import MANNERS as MANNERS
from compersion_nlp.corpus.files import Corpus as Corpus
from compersion_nlp.corpus.files import CorpusLine as CorpusLine
from compersion_nlp.corpus.files import corpus_bytes as corpus_bytes
from compersion_nlp.corpus.files import corpus_name as corpus_name
from compersion_nlp.corpus.files import read_lines as read_lines
from compersion_nlp.corpus.files import without_text as without_text
from compersion_nlp.corpus.parts import LENGTH_BANDS as LENGTH_BANDS
from compersion_nlp.corpus.parts import deal_folds as deal_folds
from compersion_nlp.corpus.parts import gold as gold
from compersion_nlp.corpus.parts import length_band as length_band
from compersion_nlp.corpus.parts import split_by_group as split_by_group
from compersion_nlp.corpus.parts import word_count as word_count
from compersion_nlp.corpus.public import NativeSet as NativeSet
from compersion_nlp.corpus.public import is_public as is_public
from compersion_nlp.corpus.public import public_file as public_file
from compersion_nlp.corpus.public import read_native as read_native
from compersion_nlp.corpus.public import read_source as read_source
from compersion_nlp.corpus.reading import find_sources as find_sources
from compersion_nlp.corpus.reading import list_corpora as list_corpora
from compersion_nlp.corpus.reading import read_corpus as read_corpus
from compersion_nlp.corpus.reading import texts_at_hand as texts_at_hand
from compersion_nlp.corpus.settings import CorpusSettings as CorpusSettings
from compersion_nlp.corpus.settings import FileSettings as FileSettings
from compersion_nlp.corpus.settings import Least as Least
from compersion_nlp.corpus.settings import Most as Most
from compersion_nlp.corpus.settings import felt_minima as felt_minima
from compersion_nlp.corpus.settings import labels_of as labels_of
from compersion_nlp.corpus.settings import read_settings as read_settings
