"""What people do: type a command, press a button, fill in a window, right-click a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.discord.fake.gateway import Gateway, channel, role
from tests.discord.fake.messages import Messages, as_told
from tests.discord.fake.people import ADA, BOT, CHANNEL, DIRECT, GUILD, Interaction, Person

#: Kinds of interaction, and of option.
_COMMAND, _COMPONENT, _COMPLETE, _MODAL = 2, 3, 4, 5
_CHANNEL, _ROLE, _ATTACHMENT = 7, 8, 11

Record = dict[str, Any]


class Acts:
    """What people can do to a bot; what Discord's own client would refuse fails here too."""

    numbers: Iterator[int]
    messages: Messages
    gateway: Gateway
    commands: list[Record]
    interactions: dict[str, Interaction]
    threads: dict[str, Record]

    async def slash(
        self,
        name: str,
        *,
        who: Person = ADA,
        direct: bool = False,
        installed: str = "guild",
        locale: str = "en-US",
        where: str | None = None,
        **values: Any,
    ) -> Interaction:
        """Somebody types `/name` and its options; a file is a pair of its name and its bytes."""
        data = self._typed(name, values, None)
        return await self._act(
            _COMMAND, data, who, direct, locale, installed=installed, where=where
        )

    async def suggestions(self, name: str, focused: str, **values: Any) -> list[str]:
        """What is suggested while somebody types into the option `focused`."""
        one = await self._act(_COMPLETE, self._typed(name, values, focused))
        kind, data, _ = await one.answer()
        assert kind == 8
        return [choice["value"] for choice in data["choices"]]

    async def press(
        self, message: Record, label: str, *, who: Person = ADA, where: str | None = None
    ) -> Interaction:
        """Somebody presses the button of a message that says, or begins with, `label`."""
        buttons = list(walk(message["components"]))
        found = [one for one in buttons if one.get("label", "").startswith(label)]
        assert found, f"no {label!r} among {[one.get('label') for one in buttons]}"
        data = {"custom_id": found[0]["custom_id"], "component_type": found[0]["type"]}
        return await self._act(_COMPONENT, data, who, message=message, where=where)

    async def fill_in(self, modal: Record, *, who: Person = ADA, **fields: str) -> Interaction:
        """Somebody fills in a window and sends it; what they leave alone stays as it was."""
        rows = []
        for row in modal["components"]:
            inner = row.get("component") or row["components"][0]
            value = fields.get(inner["custom_id"], inner.get("value", ""))
            assert len(value) <= inner.get("max_length", 4000)
            given = {
                "type": inner["type"],
                "id": 2,
                "custom_id": inner["custom_id"],
                "value": value,
            }
            rows.append({"type": 18, "id": 1, "component": given})
        data = {"custom_id": modal["custom_id"], "components": rows}
        return await self._act(_MODAL, data, who)

    async def right_click(self, message: Record, name: str, *, who: Person = ADA) -> Interaction:
        """Somebody chooses a command from a message's menu."""
        command = next(one for one in self.commands if one["name"] == name and one["type"] == 3)
        data = {
            "id": command["id"],
            "name": name,
            "type": 3,
            "target_id": message["id"],
            "resolved": {"messages": {message["id"]: message}},
        }
        return await self._act(_COMMAND, data, who)

    def says(self, content: str, *files: tuple[str, bytes], who: Person = ADA) -> Record:
        """Somebody writes a message in the channel."""
        message = self.messages.post(CHANNEL, {"content": content}, dict(files))
        message["author"] = who.user()
        return message

    async def write(
        self,
        content: str,
        *files: tuple[str, bytes],
        who: Person = ADA,
        where: str = CHANNEL,
        to: Record | None = None,
        quietly: bool = False,
    ) -> Record:
        """Somebody writes a message, perhaps as a reply; bots hear of it.

        Like Discord's own, a reply mentions whom it replies to, unless that is done `quietly`.
        """
        attached = dict(files)
        message = self.messages.post(where, {"content": content}, attached)
        message |= {"author": who.user(), "type": 19 if to else 0}
        if f"<@{BOT.id}>" in content or (to and not quietly):
            message["mentions"] = [BOT.user() | {"member": BOT.member()}]
        if to is not None:
            message["message_reference"] = {"message_id": to["id"], "channel_id": where}
            message["referenced_message"] = to
        if where != DIRECT:
            member = {name: one for name, one in who.member().items() if name != "user"}
            message |= {"guild_id": GUILD, "member": member}
        self.messages.all[message["id"]] = message
        await self.gateway.dispatch("MESSAGE_CREATE", as_told(message))
        return message

    def _typed(self, path: str, values: Record, focused: str | None) -> Record:
        name, *inner = path.split()
        command = next((one for one in self.commands if one["name"] == name), None)
        assert command is not None, f"there is no /{name}"
        given: list[Record]
        options, given = command.get("options", []), []
        resolved: Record = {}
        holder = given
        for part in inner:
            sub = next(one for one in options if one["name"] == part)
            options = sub.get("options", [])
            holder.append({"name": part, "type": sub["type"], "options": []})
            holder = holder[-1]["options"]
        for option in options:
            if option["name"] not in values:
                assert focused or not option.get("required"), f"{option['name']} is required"
                continue
            value = values[option["name"]]
            if option["type"] == _ATTACHMENT:
                file = self.messages.hang(*value)
                resolved.setdefault("attachments", {})[file["id"]] = file
                value = file["id"]
            elif option["type"] == _CHANNEL:
                resolved["channels"] = {value: channel() | {"permissions": "0"}}
            elif option["type"] == _ROLE:
                resolved["roles"] = {value: role(value, "painters")}
            elif focused is None:
                _allowed(option, value)
            more = {"focused": True} if option["name"] == focused else {}
            holder.append({"name": option["name"], "type": option["type"], "value": value} | more)
        unknown = values.keys() - {option["name"] for option in options}
        assert not unknown, f"/{path} has no {unknown}"
        return {
            "id": command["id"],
            "name": name,
            "type": 1,
            "options": given,
            "resolved": resolved,
        }

    async def _act(
        self,
        kind: int,
        data: Record,
        who: Person = ADA,
        direct: bool = False,
        locale: str = "en-US",
        *,
        message: Record | None = None,
        installed: str = "guild",
        where: str | None = None,
    ) -> Interaction:
        identity, token = str(next(self.numbers)), f"token-{next(self.numbers)}"
        payload: Record = {
            "id": identity,
            "application_id": BOT.id,
            "type": kind,
            "token": token,
            "version": 1,
            "data": data,
            "channel": self.threads[where] if where else channel(direct),
            "channel_id": where or (DIRECT if direct else CHANNEL),
            "locale": locale,
            "entitlements": [],
            "app_permissions": "2147483647",
            "attachment_size_limit": self.messages.largest,
            "context": 1 if direct else 0,
            "authorizing_integration_owners": {"1": who.id}
            if direct or installed == "user"
            else {"0": GUILD},
        }
        if direct:
            payload["user"] = who.user()
        else:
            guild = {"id": GUILD, "locale": "en-US", "features": []}
            payload |= {"guild_id": GUILD, "guild": guild, "guild_locale": "en-US"}
            payload["member"] = who.member()
        if message is not None:
            payload["message"] = message
        one = Interaction(identity, token, payload)
        self.interactions[token] = one
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return one


def walk(components: list[Record]) -> Iterator[Record]:
    """Every component, however deep it lies."""
    for one in components:
        yield one
        yield from walk(one.get("components", []))


def _allowed(option: Record, value: Any) -> None:
    if "choices" in option:
        assert value in [choice["value"] for choice in option["choices"]]
    if "max_value" in option:
        assert option["min_value"] <= value <= option["max_value"]
    if "max_length" in option:
        assert len(value) <= option["max_length"]
