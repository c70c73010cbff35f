"""Behavioural tests: what a bundle must read, which way its probabilities must move, and what must change nothing.

References:
    Marco Tulio Ribeiro, Tongshuang Wu, Carlos Guestrin, Sameer Singh, Beyond Accuracy: Behavioral Testing of NLP
    Models with CheckList, ACL 2020: minimum functionality, directional expectation and invariance tests.
"""

from compersion_nlp.evaluate.behaviour.files import Tests, read_behaviour
from compersion_nlp.evaluate.behaviour.result import Behaviour
from compersion_nlp.evaluate.behaviour.run import run_behaviour

__all__ = ["Behaviour", "Tests", "read_behaviour", "run_behaviour"]
