"""Makes a bundle of the plugin without a recipe, and loads it."""

from pathlib import Path

import numpy as np
from compersion_keywords import fitter

from compersion_nlp import check_scorer
from compersion_nlp.bundle import Manifest, load_bundle, write_bundle
from compersion_nlp.decision import fit_decision
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting

labels = ("joy", "envy")
texts = ["what fun we had", "such fun", "she gets the weekends", "why her weekends"]
gold = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)

scorer = fitter.fit(fitter.Options(most=3), Part.of(texts, gold), labels, Setting())
check_scorer(scorer)  # raises BadScorer, and says why, if the scorer breaks the contract

manifest = Manifest(
    name="keywords",
    version="1.0",
    scorer="keywords",  # the name in the entry points
    labels=labels,
    decision=fit_decision(labels, scorer.score(texts), gold).by_label,
)
write_bundle(Path("keywords"), manifest, scorer)

bundle = load_bundle("./keywords")
print(bundle.decision.probabilities(bundle.scorer.score(["fun all weekend"])))
