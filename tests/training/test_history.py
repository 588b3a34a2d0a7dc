import importlib
import sys
from dataclasses import replace

import numpy as np
import pytest

import lungcnn.training.folds as folds
from lungcnn.cli.training_progress import TrainingProgress, stopped
from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import read_dataset
from lungcnn.training.history import Epoch, History, best_epoch, read_history
from lungcnn.training.predicting import mean_loss, predict_logits
from lungcnn.training.train import Recipe, train_network

QUICK = Recipe(epochs=2, batch=8, width=4, members=1)


@pytest.fixture(scope="module")
def crop_set(miniature):
    return crop_dataset(read_dataset(miniature, miniature / "cases.csv"))


def epochs(*losses, network="fold 1 of 2", kept=False):
    count = len(losses)
    return [Epoch(network, i + 1, count, 1.0, loss, 2.0, kept) for i, loss in enumerate(losses)]


def test_what_was_written_is_read_again(tmp_path):
    told = []
    history = History(tmp_path / "new" / "fold.csv", told.append)
    for epoch in epochs(0.9, 0.7, None):
        history(epoch)
    assert told == epochs(0.9, 0.7, None)
    assert read_history(tmp_path / "new" / "fold.csv") == epochs(0.9, 0.7, None, kept=True)
    assert read_history(tmp_path / "none.csv") == []
    header = (tmp_path / "new" / "fold.csv").read_text().splitlines()[0]
    assert header == "network,number,of,loss,validation_loss,seconds"


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss():
    assert best_epoch(epochs(0.9, 0.0, 0.7, 0.0)).number == 2
    assert best_epoch(epochs(None, None)) is None


def test_mean_loss_by_hand():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    assert mean_loss(logits, np.array([0, 1])) == pytest.approx((np.log(2) + np.log(10)) / 2)


def test_measuring_the_held_out_slices_changes_nothing_that_is_learnt(crop_set):
    rest = crop_set.take(crop_set.folds == 0)
    learnt = crop_set.take(crop_set.folds != 0)
    told = []
    plain = train_network(learnt, QUICK, 5)
    watched = train_network(learnt, QUICK, 5, told.append, "fold 1 of 3", rest)
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert told[-1].validation_loss == pytest.approx(
        mean_loss(predict_logits(watched, rest.crops), rest.labels), abs=1e-5
    )
    assert [(epoch.network, epoch.number, epoch.of) for epoch in told] == [("fold 1 of 3", n, 2) for n in (1, 2)]


def test_checkpoints_without_a_history_count_all_the_same(crop_set, tmp_path, monkeypatch):
    monkeypatch.setattr(folds, "_saved_network", lambda _: "network")
    (tmp_path / "key.keras").write_bytes(b"")
    told = []
    found = folds.kept_network(crop_set, QUICK, 0, told.append, lambda *_: tmp_path / "key.keras", "all slices")
    assert found == "network"
    assert [(epoch.number, epoch.kept, np.isnan(epoch.loss)) for epoch in told] == [(1, True, True), (2, True, True)]


def test_plain_lines_where_there_is_no_terminal(capsys):
    with TrainingProgress(4, quiet=False) as progress:
        for epoch in epochs(0.9, 0.7, kept=True) + epochs(0.8, 1.1, network="fold 2 of 2"):
            progress(epoch)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3, "a network that was kept is one line"
    assert lines[0] == (
        "fold 1 of 2, epoch 2 of 2: loss 1.000, validation loss 0.700 (best 0.700 in 2); kept from an earlier run"
    )
    assert lines[1].startswith("fold 2 of 2, epoch 1 of 2: loss 1.000, validation loss 0.800 (best 0.800 in 1); ")
    assert lines[1].endswith(" left")
    assert "validation loss 1.100 (best 0.800 in 1)" in lines[2]


def test_what_is_left_is_reckoned_from_what_was_trained_now(monkeypatch):
    clock = iter([0.0, *[1.0] * 6, 31.0, 35.0, 39.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = TrainingProgress(10, quiet=True)
    for epoch in epochs(*[0.9] * 6, kept=True):
        progress(epoch)
    assert progress.seconds_left() is None, "nothing was trained yet"
    first, second, third = epochs(0.9, 0.8, 0.7)
    progress(first)
    assert progress.seconds_left() == 30 * 3
    progress(second)
    progress(third)
    assert progress.seconds_left() == 4 * 1, "the median: the first compiles"


def test_the_bars_rate_leaves_out_what_was_kept(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with TrainingProgress(4, quiet=False) as progress:
        for epoch in epochs(0.9, 0.7, kept=True) + epochs(0.8, 1.1, network="fold 2 of 2"):
            progress(epoch)
        assert (progress._bar.n, progress._bar.initial) == (4, 2)


def test_stopping_says_what_is_kept(tmp_path):
    progress = TrainingProgress(4, quiet=True)
    assert "Nothing is kept: with --checkpoints FOLDER" in stopped(progress, None)
    for epoch in epochs(0.9, 0.7):
        progress(epoch)
    text = stopped(progress, tmp_path)
    assert "1 finished network " in text
    assert f"are kept in {tmp_path}; the same command goes on" in text


def test_a_network_that_was_stopped_goes_on_where_it_was(crop_set, tmp_path):
    recipe = replace(QUICK, epochs=4)
    whole, parts = [], []
    straight = folds.kept_network(crop_set, recipe, 1, whole.append, None, "all slices")

    def place(*_):
        return tmp_path / "key.keras"

    def stop_in_the_third(epoch):
        parts.append(epoch)
        if epoch.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folds.kept_network(crop_set, recipe, 1, stop_in_the_third, place, "all slices")
    again = []
    resumed = folds.kept_network(crop_set, recipe, 1, again.append, place, "all slices")
    assert [(epoch.number, epoch.kept) for epoch in again] == [(1, True), (2, True), (3, False), (4, False)]
    assert [epoch.loss for epoch in again] == pytest.approx([epoch.loss for epoch in whole], abs=1e-3)
    for one, other in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert [epoch.number for epoch in read_history(tmp_path / "key.csv")] == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.csv", "key.keras"]


@pytest.mark.parametrize("where", ["lungcnn.cli.train.import_tensorflow", "lungcnn.training_run.run_training"])
def test_ctrl_c_ends_with_that_sentence(miniature, tmp_path, monkeypatch, where):
    from click.testing import CliRunner

    from lungcnn.cli import main

    def interrupted(*_):
        raise KeyboardInterrupt

    importlib.import_module(where.rpartition(".")[0])  # the package's `train` is the command, not its module
    monkeypatch.setattr(sys.modules[where.rpartition(".")[0]], where.rpartition(".")[2], interrupted)
    arguments = ["train", str(miniature), "--cases", str(miniature / "cases.csv"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--checkpoints", str(tmp_path / "kept")])
    assert result.exit_code == 130
    assert "Stopped. 0 finished networks" in result.stderr


def test_tensorboard_is_given_the_losses(tmp_path):
    import tensorflow as tf

    from lungcnn.training.tensorboard import EventFiles

    events = EventFiles(tmp_path)
    for epoch in (
        Epoch("seed 0, fold 1", 1, 2, 1.5, 0.75),
        Epoch("seed 0, fold 1", 2, 2, 1.25),
        Epoch("all", 1, 1, 2.0),
    ):
        events(epoch)
    read = {}
    for file in tmp_path.rglob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                read[file.parent.name, value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert read == {
        ("seed-0-fold-1", "loss", 1): 1.5,
        ("seed-0-fold-1", "validation_loss", 1): 0.75,
        ("seed-0-fold-1", "loss", 2): 1.25,
        ("all", "loss", 1): 2.0,
    }
