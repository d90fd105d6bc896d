"""The digits: their checksums, their source, and what happens to a copy that is not theirs."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from stepgauge.verify import data


def test_the_files_are_those_whose_checksums_are_written_down():
    folder = Path(data.__file__).parent
    for name, checksum in data.SHA256.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
        assert np.load(folder / name, allow_pickle=False).dtype == np.uint8
    assert {file.name for file in folder.glob("*.npy")} == set(data.SHA256)
    text = (folder / "README.md").read_text()
    assert all(word in text for word in ("Creative Commons Attribution 4.0", "Alpaydin", "10.24432/C50P49", *data.SHA256))


def test_the_digits_are_what_their_docstring_says():
    images, labels = data.digits()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((1797, 64), np.float64, (1797,), np.int64)
    assert (images.min(), images.max()) == (0, 1)
    assert (images * 16 == np.round(images * 16)).all()
    assert set(labels.tolist()) == set(range(10))
    assert np.bincount(labels).min() > 170
    other, _ = data.digits()
    other[...] = 7
    assert data.digits()[0].max() == 1


def test_they_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_digits()
    images, labels = data.digits()
    assert (images * 16 == theirs.data).all()
    assert (labels == theirs.target).all()


@pytest.mark.parametrize("name", data.SHA256)
@pytest.mark.parametrize("spoil", [lambda content: content[:-1] + bytes([content[-1] ^ 1]), lambda content: content[:-1],
                                   lambda content: content + b"\0", lambda content: b""])
def test_a_corrupted_copy_is_refused(name, spoil, tmp_path, monkeypatch):
    folder = Path(data.__file__).parent
    for file in data.SHA256:
        content = (folder / file).read_bytes()
        (tmp_path / file).write_bytes(spoil(content) if file == name else content)
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=f"{name}: expected SHA-256 {data.SHA256[name]}"):
        data.digits()


def test_a_faithful_copy_is_taken(tmp_path, monkeypatch):
    folder = Path(data.__file__).parent
    for file in data.SHA256:
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path)
    assert data.digits()[0].shape == (1797, 64)
