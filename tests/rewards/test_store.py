"""The store: what was put is there, whole, for every process, and nothing else is."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from dehusk.core.errors import InputError
from dehusk.rewards.store import Store, default_path, key

RNG = np.random.default_rng(0)
# Put batches of 64 until killed, saying so after each.
WRITER = """
import sys
import numpy as np
from dehusk.rewards.store import Store, key
store, own = Store(sys.argv[1]), sys.argv[2]
for batch in range(int(sys.argv[3])):
    names = [key(own, "score", f"{batch} {i}") for i in range(64)]
    store.put({name: np.array([float(batch)]) for name in names})
    print(batch, flush=True)
    store.get(names)
"""


def writer(path, own, batches=1_000_000):
    words = [sys.executable, "-c", WRITER, str(path), own, str(batches)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(count, identity="model"):
    return [key(identity, "score", "prompt", f"answer {i}") for i in range(count)]


def test_values_come_back_bit_by_bit(tmp_path):
    vectors = {name: RNG.normal(size=384).astype(np.float32) for name in names(1200, "vectors")}
    scores = {name: RNG.normal(size=1) for name in names(1200)}
    first = Store(tmp_path / "s")
    first.put(vectors)
    first.put(scores)
    for store in (first, Store(tmp_path / "s")):
        found = store.get([*vectors, *scores, *names(3, "another model")])
        assert found.keys() == {*vectors, *scores}
        for name, value in (vectors | scores).items():
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)


def test_a_value_that_is_put_again_replaces_the_first():
    store = Store(":memory:")
    for value in (1.0, 2.0):
        store.put({b"k": np.array([value])})
    assert store.get([b"k"])[b"k"] == 2.0


def test_no_keys_and_no_values():
    store = Store(":memory:")
    store.put({})
    assert store.get([]) == {}


def test_a_key_depends_on_every_part_and_on_where_parts_end():
    parts = [
        ("m", "score", "ab", "c"),
        ("m", "score", "a", "bc"),
        ("m", "score", "abc", ""),
        ("m", "score", "abc"),
        ("m", "embedding", "ab", "c"),
        ("n", "score", "ab", "c"),
        ("ms", "core", "ab", "c"),
        ("m", "score", "ab", "c\ud800"),
    ]
    assert len({key(*part) for part in parts}) == len(parts)
    assert key(*parts[0]) == key(*parts[0])


@pytest.mark.parametrize("damage", ["flip", "cut", "swap", "text", "nothing"])
def test_a_damaged_value_is_missing_and_no_other(tmp_path, damage):
    there = names(3)
    Store(tmp_path / "s").put({name: np.array([float(i)]) for i, name in enumerate(there)})
    with sqlite3.connect(tmp_path / "s") as raw:
        rows = dict(raw.execute("SELECT key, value FROM dehusk_values"))
        first = rows[there[0]]
        spoilt = {
            "flip": first[:-1] + bytes([first[-1] ^ 1]),
            "cut": first[:-2],
            "swap": rows[there[1]],
            "text": "0.5",
            "nothing": None,
        }[damage]
        raw.execute("UPDATE dehusk_values SET value = ? WHERE key = ?", (spoilt, there[0]))
    raw.close()
    assert Store(tmp_path / "s").get(there).keys() == set(there[1:])


def test_by_default_it_lies_in_the_cache_folder(tmp_path, monkeypatch):
    assert default_path() == tmp_path / "cache" / "dehusk" / "store.sqlite"
    Store().put({b"k": np.array([1.0])})
    assert default_path().exists()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".cache" / "dehusk" / "store.sqlite"
    Store("~/own").put({b"k": np.array([1.0])})
    assert (tmp_path / "own").exists()


def another_database(path):
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE places (url)")
    made.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("prompt,score\n" * 100), "file is not a database"),
        (another_database, "a database of another program"),
        (lambda path: path.mkdir(), "unable to open database file"),
    ],
)
def test_some_other_file_is_refused_and_left_alone(tmp_path, make, said):
    path = tmp_path / "file"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError, match=said) as refusal:
        Store(path)
    assert str(refusal.value).startswith(f"{path}: cannot be used as a store: ")
    assert str(refusal.value).endswith(". Try: --store FILE")
    assert "\n" not in str(refusal.value)
    assert before is None or path.read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be used as a store: (file exists|not a directory)"):
        Store(tmp_path / "file" / "store")


def test_a_file_that_another_process_does_not_let_go_of(tmp_path):
    Store(tmp_path / "s")
    other = sqlite3.connect(tmp_path / "s", isolation_level=None)
    store = Store(tmp_path / "s", patience=0.05)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="another process does not let go of it"):
        store.put({b"k": np.array([1.0])})
    other.execute("COMMIT")
    other.close()
    store.put({b"k": np.array([1.0])})
    assert store.get([b"k"])


def test_kill_9_leaves_whole_batches(tmp_path):
    for _ in range(3):
        process = writer(tmp_path / "s", "me")
        said = [int(process.stdout.readline()) for _ in range(5)]
        process.kill()
        rest, _ = process.communicate(timeout=20)
        said += [int(line) for line in rest.split()]
        store = Store(tmp_path / "s")
        for batch in said:
            assert len(store.get([key("me", "score", f"{batch} {i}") for i in range(64)])) == 64
        after = store.get([key("me", "score", f"{said[-1] + 1} {i}") for i in range(64)])
        assert len(after) in (0, 64)


def test_many_processes_share_a_file(tmp_path):
    processes = [writer(tmp_path / "s", own, 30) for own in "abc"]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    store = Store(tmp_path / "s")
    for own in "abc":
        keys = {key(own, "score", f"{batch} {i}"): batch for batch in range(30) for i in range(64)}
        assert {name: value[0] for name, value in store.get(list(keys)).items()} == keys
