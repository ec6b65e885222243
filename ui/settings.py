"""The page about this installation: its language, its machine, what it keeps, and its keys."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from studio.checkup import Finding
from studio.client import LOCAL, Client
from studio.words import LANGUAGES, say
from ui.consents import ConsentForm
from ui.explain import explain
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import COOKIE, language_of, later


class SettingsPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        panel("settings-title", tag("h1", later("settings.title")))
        language = panel("settings-language", script="settings.js")
        account = panel("settings-account", script="settings.js")
        ConsentForm(self._clients).build(pages)
        checked = panel("settings-checked")
        panel(
            "settings-privacy",
            tag("h2", later("privacy.title"))
            + tag("ul", *(tag("li", later(f"privacy.{part}")) for part in _PRIVACY)),
        )
        pages.load(self.languages, None, [language], **QUIET)
        pages.load(self.account, None, [account], **QUIET)
        pages.load(self.check, None, [checked], **QUIET)

    def languages(self, request: gr.Request) -> Markup:
        """The choice of a language, the visitor's own chosen."""
        here = language_of(request)
        options = (
            tag("option", name, value=code, lang=code, selected=code == here)
            for code, name in LANGUAGES.items()
        )
        return tag("label", say("settings.language", here), for_="language") + tag(
            "select", *options, id="language", data_cookie=COOKIE
        )

    async def account(self, request: gr.Request) -> Markup:
        """Who is here, and who else may come in; the way out, for those who came with a token."""
        language, name = language_of(request), str(request.username)
        operator = name == LOCAL
        here = say("account.operator" if operator else "account.here", language, name=name)
        others = await self._clients(request).users() if operator else []
        leave = tag("button", say("account.leave", language), type="button", class_="press")
        return (
            tag("h2", say("account.title", language))
            + tag("p", here)
            + (tag("p", say("account.others", language, names=", ".join(others))) if others else "")
            + (tag("p", say("account.how", language)) if operator else "")
            # Without the cookie of a session there is nothing to leave.
            + (tag("p", leave) if _SESSION in request.cookies else "")
        )

    async def check(self, request: gr.Request) -> Markup:
        """What `studio doctor` finds."""
        language = language_of(request)
        title = tag("h2", say("settings.doctor", language))
        return title + await _findings(self._clients(request), language)


#: The cookie that the API gives for a token.
_SESSION = "studio_session"
#: What the page says about what is kept, in order.
_PRIVACY = ("outputs", "prompts", "previews", "checked", "uploads", "network")


async def _findings(client: Client, language: str) -> Markup:
    try:
        found = await client.examine()
    except Exception as error:
        return explain(say("error.settings", language), error)
    return tag("ul", *(_finding(one, language) for one in found), class_="layers")


def _finding(found: Finding, language: str) -> Markup:
    tone = {"ok": "found", "note": "weak", "wrong": "invalid"}[found.state]
    return tag(
        "li",
        tag("span", found.name, class_="name", lang="en"),
        tag("span", say(f"finding.{found.state}", language), class_=f"state {tone}"),
        tag("p", found.message, lang="en"),
        tag("p", found.mend, class_="hint", lang="en") if found.mend else None,
    )
