"""What can be wrong with corpus files, and what they hold: checks, bounds and counts."""

from compersion_nlp.corpus_checks.agreement import Agreement as Agreement
from compersion_nlp.corpus_checks.agreement import compare_readers as compare_readers
from compersion_nlp.corpus_checks.check import CorpusReport as CorpusReport
from compersion_nlp.corpus_checks.check import check_corpus as check_corpus
from compersion_nlp.corpus_checks.describe import Description as Description
from compersion_nlp.corpus_checks.describe import describe_corpus as describe_corpus
from compersion_nlp.corpus_checks.measure import Measures as Measures
from compersion_nlp.corpus_checks.placed import Problem as Problem
from compersion_nlp.corpus_checks.style import style_auc as style_auc
