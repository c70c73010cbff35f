"""One job, several engines, a real bundle: the same bytes."""

import pytest
from tiny_job import run, write_tiny_bundle, write_tiny_posts

from compersion_nlp.errors import BadBundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    return write_tiny_posts(tmp_path_factory.mktemp("posts") / "posts.csv")


@pytest.fixture(scope="module")
def serial(bundle, posts, tmp_path_factory):
    return run(bundle, posts, tmp_path_factory.mktemp("serial"))


def test_the_serial_engine_labels_every_row(serial):
    files, account = serial
    assert (account.read, account.labelled, account.rejected) == (40, 34, 6)
    assert b'"felt":["jealousy"' in files[0]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_bytes(bundle, posts, serial, tmp_path, workers):
    files, account = run(bundle, posts, tmp_path, engine="joblib", workers=workers)
    assert files == serial[0]
    assert (account.labelled, account.reasons) == (serial[1].labelled, serial[1].reasons)


def test_a_bundle_that_is_replaced_while_the_job_runs_is_not_mixed_in(bundle):
    from compersion_nlp.batch.reader import Chunk, ChunkReader
    from compersion_nlp.records import Passage

    with pytest.raises(BadBundle, match=r"was replaced while the job ran.\nStart the job anew"):
        ChunkReader(str(bundle), "0" * 64, explain=True)(Chunk(1, (Passage("text"),)))
