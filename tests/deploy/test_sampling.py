"""What a sample reads of a process: its counters, told apart from other processes' and from its own past."""

from datetime import UTC, datetime

from kaunta.deploy.sampling import Counters, Reading, read_metrics
from kaunta.deploy.verdict import NONE, Count, Measure

METRICS = """# TYPE kaunta_answers counter
kaunta_answers_total{status="2xx"} 90.0
kaunta_answers_total{status="4xx"} 5.0
kaunta_answers_total{status="500"} 3.0
kaunta_answers_total{status="502"} 1.0
kaunta_answers_total{status="503"} 7.0
# TYPE kaunta_callbacks counter
kaunta_callbacks_total{verdict="applied"} 8.0
kaunta_callbacks_total{verdict="not_stored"} 2.0
# TYPE kaunta_process_id gauge
kaunta_process_id 42.0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
"""


def test_counters_are_read_and_what_is_said_on_purpose_is_no_error() -> None:
    reading = read_metrics("http://a", METRICS)
    assert reading.answers == Count(4, 106)
    assert reading.stored == Count(2, 10)
    assert reading.key == ("http://a", 42.0, 1.7e9)


def test_each_process_has_counters_of_its_own_and_an_old_ones_past_is_not_held_against_the_new() -> None:
    deployed = datetime.fromtimestamp(1_000, UTC)
    counters = Counters(deployed)

    def seen(process: int, started: float, bad: int, total: int) -> Count | None:
        reading = Reading(("http://a", process, started), started, Count(bad, total), NONE)
        return counters.step(reading).get(Measure.ANSWERS)

    assert seen(1, 900, 50, 100) is None
    assert seen(2, 1_001, 2, 3) == Count(2, 3)
    assert seen(1, 900, 50, 110) == Count(0, 10)
    assert seen(2, 1_001, 4, 9) == Count(2, 6)
    # A counter that shrank is not that process's.
    assert seen(2, 1_001, 0, 1) == NONE
