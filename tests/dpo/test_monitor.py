"""What is watched: held-out pairs and songs against the reference, and winners that get worse."""

import pytest
import torch

from jam.data.loader import Loader, LoaderSettings
from jam.dpo.monitor import Watch, measure_pairs, measure_songs, probes
from jam.flow import errors
from jam.training.objective import Measured
from tests.dpo.made import source_of, tiny


@pytest.fixture
def batches(pairs_in):
    return list(Loader(source_of(pairs_in(3), epochs=1, batch_size=2, seed="valid", shuffle=False), LoaderSettings()))


def measured(objective, model, found) -> dict[str, float]:
    with torch.no_grad():
        each: list[Measured] = [objective(model, probe) for probe in found]
    return {name: float(torch.cat([one.values[name] for one in each]).mean()) for name in each[0].values}


def test_a_policy_that_is_its_reference_has_not_drifted(batches):
    with torch.no_grad():
        found = probes(tiny(), batches, "cpu")
    values = measured(measure_pairs(2000), tiny(), found)
    assert values["drift"] == values["winner_gain"] == values["margin"] == 0
    assert values["accuracy"] == 0.5


def test_drift_is_relative_to_the_references_own_size(batches):
    with torch.no_grad():
        found = probes(tiny(), batches, "cpu")

    def twice(x_t, t, conditions):
        return 2 * tiny()(x_t, t, conditions)

    assert measured(measure_pairs(10), twice, found)["drift"] == pytest.approx(1, rel=1e-5)


def test_errors_on_held_out_pairs_share_noise_and_moment(batches):
    with torch.no_grad():
        found = probes(tiny(2), batches, "cpu")
        x_t = []

        def velocity(asked, t, conditions):
            x_t.append((asked, t))
            return tiny(1)(asked, t, conditions)

        values = measure_pairs(10)(velocity, found[0]).values
        asked, t = x_t[0]
        winner, loser = asked.chunk(2)
        assert torch.equal(*t.chunk(2))
        t = t[:2, None, None]
        x_0 = (winner - t * batches[0].winner) / (1 - t)
        assert torch.allclose(x_0, (loser - t * batches[0].loser) / (1 - t), atol=1e-4)
        alone = errors(tiny(1), x_0, batches[0].winner, t[:, 0, 0], batches[0].conditions)
    assert torch.allclose(values["winner_error"], alone, atol=1e-3)


def test_songs_are_compared_too(batches):
    from jam.data.collate import Batch

    songs = [Batch(batch.keys, batch.winner, batch.conditions, batch.seconds, batch.draws) for batch in batches]
    with torch.no_grad():
        found = probes(tiny(2), songs, "cpu")
    assert measured(measure_songs, tiny(2), found)["song_drift"] == 0
    values = measured(measure_songs, tiny(1), found)
    assert values["song_drift"] > 0 and values["song_error"] > 0


def record(gain: float, step: int = 1) -> dict[str, float]:
    return {"step": step, "winner_error": 1 + gain, "winner_gain": gain}


def test_winners_that_get_worse_are_warned_of_once_each_time(caplog):
    watch = Watch("warn", share=0.05, window=2)
    for step, gain in enumerate([0.2, 0.2, 0.2, -0.9, 0.0, 0.2, 0.2]):
        assert watch(record(gain, step)) is None
    assert [line.getMessage().split(":")[0] for line in caplog.records] == ["step 1", "step 5"]
    assert "the winners' error is 20.0% above the reference's" in caplog.text


def test_winners_that_get_worse_stop_the_run_where_that_is_asked():
    watch = Watch("stop", share=0.05, window=3)
    assert [watch(record(0.1)) for _ in range(2)] == [None, None]
    assert "10.0% above the reference's" in str(watch(record(0.1)))


def test_a_little_worse_or_not_asked_is_let_pass(caplog):
    watch, ignoring = Watch("stop", share=0.05, window=1), Watch("ignore", share=0.05, window=1)
    assert watch(record(0.049)) is None and ignoring(record(0.5)) is None and watch({"step": 1, "valid_loss": 1.0}) is None
    assert not caplog.records
