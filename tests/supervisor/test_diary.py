"""What a run writes down beside its calls is there in its later lives, by place and key."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from commedia.actors.errors import JournalFailedError, RunFailedError
from commedia.supervisor.diary import Diary

T = TypeVar("T")

STEP = {"t": "tool", "p": "/tool:1", "h": "key", "kind": "json", "value": [1, 2]}


def life(folder: Path, body: Callable[[Diary], Awaitable[T]]) -> T:
    """Open the diary in *folder*, do *body* with it, and close it."""

    async def live() -> T:
        diary = await Diary.open(folder)
        diary.note({"t": "begun"})
        try:
            return await body(diary)
        finally:
            await diary.close()

    return asyncio.run(live())


def test_a_step_is_recalled_by_place_and_key(tmp_path: Path) -> None:
    async def recall(diary: Diary) -> list[object]:
        asked = [("/tool:1", "key"), ("/tool:1", "another"), ("/tool:2", "key")]
        found = [diary.recall(path, key) for path, key in asked]
        return [diary.recalled, *(record and record["value"] for record in found)]

    life(tmp_path, lambda diary: diary.record(STEP))

    assert life(tmp_path, recall) == [1, [1, 2], None, None]


def test_lives_are_counted_and_skipped_agents_stay_skipped(tmp_path: Path) -> None:
    async def skip(diary: Diary) -> None:
        diary.note({"t": "skip", "label": "slow one"})

    async def known(diary: Diary) -> tuple[int, list[str]]:
        return diary.lives, diary.skipped

    life(tmp_path, skip)

    assert life(tmp_path, known) == (1, ["slow one"])
    assert life(tmp_path, known) == (2, ["slow one"])


def test_what_another_thread_notes_is_durable_once_settled(tmp_path: Path) -> None:
    async def noted(diary: Diary) -> bytes:
        thread = threading.Thread(target=diary.note, args=({**STEP, "t": "now"},))
        thread.start()
        await asyncio.to_thread(thread.join)
        await diary.settle()
        return (tmp_path / "run.journal").read_bytes()

    assert b'"t":"now"' in life(tmp_path, noted)


def test_a_run_whose_journal_cannot_be_written_ends_in_one_sentence(tmp_path: Path) -> None:
    """The disk is full: what would be done next would be done again."""

    async def fill(diary: Diary) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, diary._journal._descriptor)
        os.close(full)
        with pytest.raises(RunFailedError, match=r"run\.journal cannot be written: No space left"):
            await diary.record(STEP)
        with pytest.raises(RunFailedError, match="No space left"):
            await diary.settle()

    with pytest.raises(JournalFailedError):
        life(tmp_path, fill)
