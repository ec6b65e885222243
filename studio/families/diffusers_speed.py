"""What makes a diffusers pipeline faster than the library does by itself.

Remembering a prompt's embeddings is exact, and so always done. The rest changes the outputs a
little or costs time of its own, so that a card has to ask for it, and every draft says so.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import diffusers
import torch
from torch.utils._pytree import tree_leaves, tree_map

from studio.errors import Unavailable
from studio.families import Spec
from studio.families.weights import first_line

#: The library's caches that need nothing but numbers. All of them skip work, and so lose a little.
_CACHES = ("FirstBlockCache", "MagCache", "SeaCache", "TaylorSeerCache")
#: The most bytes of embeddings that a model remembers.
_REMEMBERED_BYTES = 64_000_000


def hasten(pipe: Any, spec: Spec) -> tuple[str, ...]:
    """Do what the card asks for to the pipe's denoiser: what of it a draft has to name.

    Raises:
        Unavailable: if the library, the model or the machine cannot do it.
    """
    denoiser: Any = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    done = []
    try:
        if backend := spec.options.get("attention"):
            if str(backend).endswith("_hub"):
                raise ValueError(f"{backend} would fetch foreign code.")
            denoiser.set_attention_backend(str(backend))
            done.append(f"attention {backend}")
        if cache := spec.options.get("cache"):
            denoiser.enable_cache(_cache(cache))
            done.append(str(cache["kind"]))
        if arguments := spec.options.get("compile"):
            given = arguments if isinstance(arguments, Mapping) else {}
            # Only the blocks that repeat: minutes less than the whole, for about the same gain.
            denoiser.compile_repeated_blocks(**given)
            done.append("compiled blocks")
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise Unavailable(
            f"{spec.name} cannot be made faster as its card asks: {first_line(error)}",
            hint="Leave `attention`, `cache` and `compile` out of the card's options, or choose "
            "what this machine and the model's denoiser can do.",
        ) from None
    return tuple(done)


class Embeddings:
    """The embeddings of the latest prompts of one model, so that none is encoded twice in a row.

    Exact: a call is answered from memory only if every argument of it is the same. Whoever orders
    ten pictures of one prompt, or tries other steps and seeds, pays for the text encoders once;
    where they are moved to the device for each call, they stay where they are.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Any, ...]] = OrderedDict()

    @contextmanager
    def of(self, pipe: Any) -> Iterator[None]:
        """While this lasts, `pipe` encodes so."""
        plain = getattr(pipe, "encode_prompt", None)
        if plain is None:
            yield
            return
        signature = inspect.signature(plain)

        @wraps(plain)
        def encode(*given: Any, **named: Any) -> Any:
            arguments = signature.bind(*given, **named).arguments
            if any(isinstance(one, torch.Tensor) for one in tree_leaves(arguments)):
                return plain(*given, **named)
            key = repr(sorted(arguments.items()))
            if key not in self._known:
                made = plain(*given, **named)
                if not isinstance(made, tuple):
                    return made
                self._known[key] = _copied(made)
                self._forget()
                return made
            self._known.move_to_end(key)
            # Copies: some pipelines write into what they are given.
            return _copied(self._known[key])

        pipe.encode_prompt = encode
        try:
            yield
        finally:
            # The library's own method, which this one had hidden.
            vars(pipe).pop("encode_prompt", None)

    def _forget(self) -> None:
        while len(self._known) > 1 and sum(map(_bytes, self._known.values())) > _REMEMBERED_BYTES:
            self._known.popitem(last=False)


def _cache(options: Mapping[str, Any]) -> Any:
    """The library's configuration of the cache that a card names by `kind`."""
    numbers = dict(options)
    kind = numbers.pop("kind")
    if kind not in _CACHES:
        raise ValueError(f"there is no cache {kind!r}; there are {', '.join(_CACHES)}.")
    return getattr(diffusers, f"{kind}Config")(**numbers)


def _copied(made: tuple[Any, ...]) -> tuple[Any, ...]:
    # Some pipelines keep a list of tensors, one for each prompt.
    copied: tuple[Any, ...] = tree_map(
        lambda one: one.clone() if isinstance(one, torch.Tensor) else one, made
    )
    return copied


def _bytes(made: tuple[Any, ...]) -> int:
    return sum(one.nbytes for one in tree_leaves(made) if isinstance(one, torch.Tensor))
