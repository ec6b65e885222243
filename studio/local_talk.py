"""The verbs of conversations inside the host's own process.

Each answer is an ordinary job, so it survives whatever a job survives. How it ended is written
into the conversation when somebody looks: nothing has to run meanwhile, and nothing is missed.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from studio.artifact import artifact_id
from studio.errors import InvalidRequest, NotFound
from studio.fields import Value
from studio.gallery import Gallery
from studio.job import Job, JobState
from studio.talk import Conversation, Reply, Talk, Turn
from studio.tasks.request import plain_text

if TYPE_CHECKING:
    from studio.host import Host

_ID = re.compile("[0-9a-f]{32}")
#: Characters of a title, of a system prompt, and of the history that a request has room for.
_TITLE, _SYSTEM, _HISTORY = 200, 20_000, 1_000_000
#: Characters of what was said first that make a title.
_FIRST_WORDS = 60


class LocalTalk(Gallery, Talk):
    """One owner's view of the host's conversations."""

    _host: Host
    _owner: str

    @abstractmethod
    async def submit(
        self, task: str, values: Mapping[str, Value], *, key: str | None = None, priority: int = 0
    ) -> Job: ...

    @abstractmethod
    async def cancel(self, job: str) -> Job: ...

    @abstractmethod
    async def _find(self, job: str) -> Job | None: ...

    @abstractmethod
    def _id_for(self, key: str) -> str: ...

    async def conversations(
        self, search: str = "", *, limit: int = 50, before: str | None = None
    ) -> list[Conversation]:
        store = self._host.conversations
        if search.strip():
            # Their last words are known once they were looked at.
            for unsettled in await anyio.to_thread.run_sync(store.unsettled, self._owner):
                await self.conversation(unsettled)
        last = None if before is None else await self.conversation(before)
        return await anyio.to_thread.run_sync(
            lambda: store.list(self._owner, search, limit=limit, before=last)
        )

    async def conversation(self, conversation: str) -> Conversation:
        if not _ID.fullmatch(conversation):
            raise NotFound("You have no such conversation.", hint="Look through yours for its id.")
        store = self._host.conversations
        found = await anyio.to_thread.run_sync(store.get, self._owner, conversation)
        turns = [
            replace(
                turn,
                replies=tuple([await self._now(conversation, reply) for reply in turn.replies]),
            )
            for turn in found.turns
        ]
        return replace(found, turns=tuple(turns))

    async def start_conversation(
        self, title: str = "", *, model: str | None = None, system: str = ""
    ) -> Conversation:
        now = time.time()
        begun = Conversation(
            secrets.token_hex(16),
            _checked("title", title, _TITLE),
            self._known(model),
            _checked("system", system, _SYSTEM),
            now,
            now,
        )
        await anyio.to_thread.run_sync(self._host.conversations.add, self._owner, begun)
        return begun

    async def change_conversation(
        self,
        conversation: str,
        *,
        title: str | None = None,
        model: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        async with self._host.talking:
            found = await self.conversation(conversation)
            if title is not None:
                found = replace(found, title=_checked("title", title, _TITLE))
            if model is not None:
                found = replace(found, model=self._known(model))
            if system is not None:
                found = replace(found, system=_checked("system", system, _SYSTEM))
            await anyio.to_thread.run_sync(self._host.conversations.change, found)
            return found

    async def delete_conversation(self, conversation: str) -> None:
        async with self._host.talking:
            found = await self.conversation(conversation)
            for reply in (reply for turn in found.turns for reply in turn.replies):
                if not reply.state.final:
                    await self.cancel(reply.job)
                if reply.artifact is not None:
                    # It may be gone already.
                    with suppress(NotFound):
                        await self.delete(reply.artifact)
            await anyio.to_thread.run_sync(self._host.conversations.delete, conversation)

    async def talk(
        self,
        conversation: str,
        text: str,
        *,
        image: str | None = None,
        key: str | None = None,
    ) -> Job:
        key = f"\0talk {conversation} {key or secrets.token_hex(16)}"
        # One at a time: of two tabs that send at once, the second sees what the first has said.
        async with self._host.talking:
            found = await self.conversation(conversation)
            if (known := _answered(found, self._id_for(key))) is not None:
                if (known.text, known.image) != (text, image):
                    raise InvalidRequest(
                        "This key belongs to an earlier message that said something else.",
                        hint="Use a new key for each new message.",
                    )
                return await self._job_of(known.replies[0].job)
            _free(found)
            job, remarks = await self._order(found, found.turns, text, image, key)
            if not found.title:
                found = replace(found, title=_title(text))
            reply = Reply(job.id, job.card, job.created, remarks=remarks)
            said = Turn(len(found.turns), text, image, job.created, (reply,))
            await anyio.to_thread.run_sync(self._host.conversations.say, found, said)
            return job

    async def regenerate(self, conversation: str, *, key: str | None = None) -> Job:
        key = f"\0anew {conversation} {key or secrets.token_hex(16)}"
        async with self._host.talking:
            found = await self.conversation(conversation)
            if _answered(found, self._id_for(key)) is not None:
                return await self._job_of(self._id_for(key))
            _free(found)
            if not found.turns:
                raise InvalidRequest("Nothing was said yet.", hint="Write something first.")
            return await self._again(found, key)

    async def go_on(self, conversation: str, *, key: str | None = None) -> Job:
        key = f"\0on {conversation} {key or secrets.token_hex(16)}"
        async with self._host.talking:
            found = await self.conversation(conversation)
            if _answered(found, self._id_for(key)) is not None:
                return await self._job_of(self._id_for(key))
            _free(found)
            last = found.turns[-1].replies[-1] if found.turns else None
            if last is None or not last.text or found.turns[-1].image is not None:
                raise InvalidRequest(
                    "There is nothing to go on from.", hint="Say something, or ask for an answer."
                )
            return await self._again(found, key, last.text)

    async def _again(self, found: Conversation, key: str, beginning: str = "") -> Job:
        """Order another answer to what was said last; one that goes on from `beginning`."""
        *earlier, last = found.turns
        job, remarks = await self._order(found, earlier, last.text, last.image, key, beginning)
        reply = Reply(job.id, job.card, job.created, remarks=remarks)
        store = self._host.conversations
        await anyio.to_thread.run_sync(store.answer, found.id, last.place, reply)
        return job

    async def _keep_written(self, job: str) -> None:
        """Keep what was written of an answer that is about to be stopped."""
        text = self._host.dispatcher.watchers.written(job)
        if text:
            store = self._host.conversations
            await anyio.to_thread.run_sync(store.keep_written, job, text)

    async def _order(
        self,
        conversation: Conversation,
        earlier: Sequence[Turn],
        text: str,
        image: str | None,
        key: str,
        beginning: str = "",
    ) -> tuple[Job, tuple[str, ...]]:
        """The job that answers `text`, and what was done to the order."""
        # Read before it is joined with anything: joined with an earlier one, it is never empty.
        if not text.strip():
            raise InvalidRequest("prompt: write something here.", hint="Type a message.")
        model = conversation.model
        history, unanswered = _history(earlier)
        left_out = 0
        while len(written := json.dumps(history, ensure_ascii=False)) > _HISTORY:
            history, left_out = history[2:], left_out + 1
        remarks = (f"without the oldest {left_out} turns",) if left_out else ()
        if image is not None:
            task = "visual-question-answering"
            if model is not None and task not in self._host.catalog[model].studio.tasks:
                model = None
            values: dict[str, Value] = {"model": model, "question": text, "image": image}
            # Another one than the conversation's own is asked about this picture alone.
            if model is not None and "history" not in self._host.catalog[model].studio.lacks:
                values["history"] = written if history else ""
            return await self.submit(task, values, key=key), remarks
        values = {
            "model": model,
            "prompt": "\n\n".join([*unanswered, text]),
            "system": conversation.system,
            "history": written if history else "",
            "beginning": beginning,
            "truncate": True,
            "format": "md",
        }
        return await self.submit("text-generation", values, key=key), remarks

    async def _now(self, conversation: str, reply: Reply) -> Reply:
        """The reply as it is now; kept, if it has ended since somebody looked."""
        if reply.state.final:
            return reply
        job = await self._find(reply.job)
        if job is not None and not job.state.final:
            return replace(reply, state=job.state)
        if job is None or job.state is JobState.DONE:
            try:
                # A job may be forgotten before anybody looked; what it made is not.
                found = await self.artifact(artifact_id(reply.job, 0))
                path = await self.fetch(found.id)
                text = await anyio.to_thread.run_sync(lambda: path.read_text(encoding="utf-8"))
                ended = replace(
                    reply,
                    state=JobState.DONE,
                    text=text,
                    artifact=found.id,
                    remarks=(*reply.remarks, *found.note.made_with),
                )
            except NotFound:
                gone = NotFound("This answer was thrown away.", hint="Ask for another one.")
                ended = replace(reply, state=JobState.FAILED, error=gone.record())
        else:
            ended = replace(reply, state=job.state, error=job.error)
        await anyio.to_thread.run_sync(self._host.conversations.settle, conversation, ended)
        return ended

    async def _job_of(self, answer: str) -> Job:
        job = await self._find(answer)
        if job is None:
            raise NotFound("That was answered long ago, and its job is forgotten.")
        return job

    def _known(self, model: str | None) -> str | None:
        """The model's name, if there is one of that name; an empty one is None."""
        return self._host.catalog[model].name if model else None


def _history(turns: Sequence[Turn]) -> tuple[list[dict[str, str]], list[str]]:
    """What was said and answered in turn, and what was said since without an answer."""
    history: list[dict[str, str]] = []
    unanswered: list[str] = []
    for turn in turns:
        unanswered.append(turn.text)
        reply = turn.replies[-1]
        # Models know only turns by turns: what got no answer is said together with what follows.
        if reply.state is JobState.DONE:
            history += [
                {"role": "user", "content": "\n\n".join(unanswered)},
                {"role": "assistant", "content": reply.text},
            ]
            unanswered = []
    return history, unanswered


def _answered(conversation: Conversation, job: str) -> Turn | None:
    """The turn that the job answers."""
    for turn in conversation.turns:
        if any(reply.job == job for reply in turn.replies):
            return turn
    return None


def _free(conversation: Conversation) -> None:
    """Pass, unless an answer is on its way."""
    if conversation.turns and not conversation.turns[-1].replies[-1].state.final:
        raise InvalidRequest(
            "The last answer is still being written.", hint="Wait for it, or stop it."
        )


def _checked(name: str, text: str, most: int) -> str:
    try:
        plain_text(text)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}.", hint="Type it anew.") from None
    if len(text) > most:
        raise InvalidRequest(
            f"{name}: {len(text):,} characters are too many.",
            hint=f"Use at most {most:,} characters.",
        )
    return text.strip()


def _title(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _FIRST_WORDS else f"{words[: _FIRST_WORDS - 1].rstrip()}…"
