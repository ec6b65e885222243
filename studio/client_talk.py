"""The verbs of `Studio` that have to do with speaking: conversations, and consent to a voice."""

from __future__ import annotations

from functools import partial

from anyio.from_thread import BlockingPortal

from studio.consent import Challenge, Consent
from studio.job import Job
from studio.protocol import Client
from studio.talk import Conversation


class SpokenStudio:
    """See `studio.client.Studio`."""

    _portal: BlockingPortal
    _client: Client

    def conversations(
        self, search: str = "", *, limit: int = 50, before: str | None = None
    ) -> list[Conversation]:
        """See `Client.conversations`."""
        page = partial(self._client.conversations, search, limit=limit, before=before)
        return self._portal.call(page)

    def conversation(self, conversation: str) -> Conversation:
        """See `Client.conversation`."""
        return self._portal.call(self._client.conversation, conversation)

    def start_conversation(
        self, title: str = "", *, model: str | None = None, system: str = ""
    ) -> Conversation:
        """See `Client.start_conversation`."""
        begin = partial(self._client.start_conversation, title, model=model, system=system)
        return self._portal.call(begin)

    def change_conversation(
        self,
        conversation: str,
        *,
        title: str | None = None,
        model: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        """See `Client.change_conversation`."""
        change = partial(self._client.change_conversation, title=title, model=model, system=system)
        return self._portal.call(change, conversation)

    def go_on(self, conversation: str, *, key: str | None = None) -> Job:
        """See `Client.go_on`."""
        return self._portal.call(partial(self._client.go_on, conversation, key=key))

    def delete_conversation(self, conversation: str) -> None:
        """See `Client.delete_conversation`."""
        self._portal.call(self._client.delete_conversation, conversation)

    def talk(
        self, conversation: str, text: str, *, image: str | None = None, key: str | None = None
    ) -> Job:
        """See `Client.talk`."""
        return self._portal.call(
            partial(self._client.talk, conversation, text, image=image, key=key)
        )

    def regenerate(self, conversation: str, *, key: str | None = None) -> Job:
        """See `Client.regenerate`."""
        return self._portal.call(partial(self._client.regenerate, conversation, key=key))

    def ask_consent(self, voice: str) -> Challenge:
        """See `Client.ask_consent`."""
        return self._portal.call(self._client.ask_consent, voice)

    def give_consent(self, challenge: str, recording: str, *, days: float = 30) -> Consent:
        """See `Client.give_consent`."""
        return self._portal.call(
            partial(self._client.give_consent, challenge, recording, days=days)
        )

    def consents(self) -> list[Consent]:
        """See `Client.consents`."""
        return self._portal.call(self._client.consents)

    def revoke_consent(self, consent: str) -> Consent:
        """See `Client.revoke_consent`."""
        return self._portal.call(self._client.revoke_consent, consent)
