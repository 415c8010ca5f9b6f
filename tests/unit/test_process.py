"""Servers of tests as processes: what they leave running ends with them."""

from pathlib import Path

from tests.support.loopback import Process, wait_until


def test_a_process_that_has_ended_by_itself_leaves_nothing_running_when_it_starts_again(tmp_path: Path) -> None:
    """As a container that is started again: what an earlier life has begun in the background is gone."""
    process = Process(("sh", "-c", "sleep 600 & echo $!"), tmp_path, "ends")
    process.start()
    wait_until(lambda: bool(process.log.strip()) and not process.runs, "it has ended")
    beside = Path(f"/proc/{process.log.strip()}/cmdline")
    assert "sleep" in beside.read_text()
    try:
        process.start()
        wait_until(lambda: not beside.exists() or not beside.read_text(), "nothing of the earlier life runs", 5)
    finally:
        process.kill()
