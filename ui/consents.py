"""Consents on the page of settings: one's own, taking one back, and asking for one.

Asking takes two steps: a sample brings a sentence, and a recording of that sentence the consent.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.client import Client
from studio.consent import LONGEST_DAYS, Challenge, Consent
from studio.errors import InvalidRequest
from studio.words import say
from ui.explain import explain
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later

#: For how many days a consent may hold; the third is what it comes with.
_DAYS = (1, 7, 30, 90, int(LONGEST_DAYS))


class ConsentForm:
    """The handlers of this part of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay it out in `pages`, which are open."""
        challenge = gr.State("")
        panel(
            "consents-title", tag("h2", later("consents.title")) + tag("p", later("consents.how"))
        )
        given = panel("consents", script="page.js")
        with gr.Accordion(later("consents.ask"), open=False, elem_id="consents-ask"):
            sample = _sound("consents.sample", "consent-sample")
            ask = gr.Button(later("consents.sentence"), elem_id="consent-ask")
            sentence = panel("consent-sentence")
            with gr.Column(visible=False) as reading:
                recording = _sound("consents.recording", "consent-recording")
                days = gr.Radio(_DAYS, value=_DAYS[2], label=later("consents.days"))
                give = gr.Button(later("consents.give"), variant="primary", elem_id="consent-give")
            outcome = panel("consent-outcome")
        pages.load(self.mine, None, [given], **QUIET)
        given.click(self.revoke, None, [given], trigger_mode="multiple", **QUIET)
        ask.click(self.ask, [sample], [challenge, sentence, reading, outcome], **QUIET)
        give.click(self.give, [challenge, recording, days], [outcome], **QUIET).then(
            self.mine, None, [given], **QUIET
        )

    async def mine(self, request: gr.Request) -> Markup:
        """One's own consents, those that hold first, newer ones before older ones."""
        return await _mine(self._clients(request), language_of(request))

    async def revoke(self, request: gr.Request, event: gr.EventData) -> Markup:
        """Take back what somebody pressed."""
        client, language = self._clients(request), language_of(request)
        try:
            await client.revoke_consent(event.id)
        except Exception as error:
            return explain(say("error.consent", language), error) + await _mine(client, language)
        return await _mine(client, language)

    async def ask(self, sample: str | None, request: gr.Request) -> tuple[str, Markup, Any, Markup]:
        """The sentence to be read for a sample, and where to put the reading."""
        client, language = self._clients(request), language_of(request)
        try:
            asked = await client.ask_consent(await _brought(client, sample))
        except Exception as error:
            problem = explain(say("error.consent", language), error)
            return "", problem, gr.update(visible=False), Markup("")
        return asked.id, _sentence(asked, language), gr.update(visible=True), Markup("")

    async def give(
        self, challenge: str, recording: str | None, days: float, request: gr.Request
    ) -> AsyncIterator[Markup]:
        """Whether it was read, once somebody has listened."""
        client, language = self._clients(request), language_of(request)
        yield tag("p", say("consents.listening", language), class_="stage", role="status")
        try:
            await client.give_consent(challenge, await _brought(client, recording), days=days)
        except Exception as error:
            yield explain(say("error.consent", language), error)
        else:
            yield tag("p", say("consents.signed", language), class_="banner", role="status")


def _sound(key: str, name: str) -> gr.Audio:
    return gr.Audio(
        label=later(key),
        type="filepath",
        sources=["upload", "microphone"],
        buttons=[],
        elem_id=name,
        interactive=True,
    )


async def _brought(client: Client, sound: str | None) -> str:
    """The id of what was put in."""
    if sound is None:
        raise InvalidRequest("There is no sound yet.", hint="Drop a file, or record one.")
    return (await client.upload(Path(sound))).id


def _sentence(asked: Challenge, language: str) -> Markup:
    minutes = max(1, round((asked.expires - time.time()) / 60))
    # English, whatever the page is in: it is what the listener compares.
    return tag("p", say("consents.read", language, minutes=minutes)) + tag(
        "blockquote", asked.sentence, lang="en"
    )


async def _mine(client: Client, language: str) -> Markup:
    try:
        found = await client.consents()
    except Exception as error:
        return explain(say("error.consent", language), error)
    if not found:
        return tag("p", say("consents.none", language), class_="quiet")
    now = time.time()
    found.sort(key=lambda one: (not one.holds_at(now), -one.created))
    return tag("div", *(_consent(one, language) for one in found), class_="feed")


def _consent(one: Consent, language: str) -> Markup:
    holds = one.holds_at(time.time())
    state = "consents.holds" if holds else "consents.expired"
    ends = "consents.until"
    if one.revoked:
        state = ends = "consents.revoked"
    rows = {
        "consents.given": tag("time", data_seconds=one.created),
        ends: tag("time", data_seconds=one.revoked or one.expires),
        "consents.speaker": tag("span", one.speaker, lang="en"),
        "consents.voice": one.voice[:12],
        "consents.id": one.id,
    }
    parts = (tag("dt", say(key, language)) + tag("dd", value) for key, value in rows.items())
    presses = tag(
        "div",
        tag(
            "a",
            say("consents.use", language),
            href=f"/?task=voice-cloning&consent={one.id}",
            class_="press",
        ),
        tag(
            "button",
            say("consents.revoke", language),
            type="button",
            class_="press",
            data_action="revoke",
            data_id=one.id,
            data_ask=say("consents.revoke.ask", language),
            aria_label=say("consents.revoke.label", language, id=one.id[:8]),
        ),
        class_="row",
    )
    return tag(
        "article",
        tag("h3", say(state, language), class_="subject"),
        tag("dl", *parts, class_="receipt"),
        presses if holds else None,
        class_="card",
        data_key=one.id,
    )
