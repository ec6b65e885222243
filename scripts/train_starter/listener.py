"""Train the starter listener: a small Whisper that writes down what espeak-ng's voices say.

    python scripts/train_starter/listener.py --out training/listener --steps 4000

It learns from sentences of `sayings`, spoken afresh for every step. Interrupted, it goes on from
its checkpoint; the finished model lies in OUT/listener, and the studio loads that folder as it is.
`listener_evaluate.py` measures it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sayings
import torch
from numpy.typing import NDArray
from shipping import save
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[2]

#: Seconds that it hears at a time, and samples in a second.
WINDOW, RATE = 8, 16_000
#: Samples between two columns of its spectrogram; the encoder halves their number.
HOP = 320
SPECIAL = ("<pad>", "<s>", "</s>")

LANGUAGES = (
    "gmw/en-US", "gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-US-nyc", "gmw/en-GB-scotland",
    "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-029",
)  # fmt: skip
#: Manners of speaking; the usual one is the empty one.
VOICES = (
    "", "", "", "", "f1", "f2", "f3", "f5", "m1", "m2", "m3", "m5", "m6", "m7", "m8", "Alicia",
    "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee",
    "Marco", "Mario", "Michael", "Mike", "Reed", "Storm", "adam", "anika", "antonio", "aunty",
    "belinda", "benjamin", "boris", "caleb", "david", "ed", "edward", "grandma", "grandpa",
    "gustave", "ian", "iven", "iven2", "john", "kaukovalta", "klatt", "klatt2", "klatt4", "linda",
    "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "quincy", "rob", "sandro",
    "shelby", "steph", "steph2",
)  # fmt: skip
#: Never heard in training.
HELD_OUT = ("f4", "m4", "Alex", "Gene2", "iven3", "klatt3", "pedro", "robert", "travis", "victor")

#: Until which step no more than so many words are said at a time.
BEGINNING = ((2000, 1), (2800, 3))
#: How many utterances are kept, to be heard again.
POOL = 1500

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """Something to be said, and how."""

    #: As it is written down.
    text: str
    #: As `studio.families.espeak.voice` takes it.
    line: str
    #: Above 1, the voice is that of a smaller person.
    warp: float


class Reader:
    """espeak-ng, in its process: it speaks what is ordered while something else is done."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "studio.families.espeak.voice"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )

    def order(self, utterances: list[Utterance]) -> None:
        """Have them spoken; `heard` gives them in the same order."""
        for one in utterances:
            self._process.stdin.write(one.line.encode() + b"\n")
        self._process.stdin.flush()

    def heard(self, one: Utterance) -> Samples:
        """The next one's samples at `RATE`, without the silence at its end."""
        from scipy.signal import resample_poly

        head = json.loads(self._process.stdout.readline())
        content = self._process.stdout.read(head["bytes"])
        samples = np.frombuffer(content, "<i2").astype(np.float32) / 32768
        down = round(head["rate"] * one.warp / 50)
        changed = np.asarray(resample_poly(samples, RATE // 50, down), np.float32)
        return changed[: np.flatnonzero(np.abs(changed) > 1e-3)[-1] + 1]

    def close(self) -> None:
        """End the process, whatever it has still to say."""
        self._process.kill()
        self._process.wait()


def utterance(
    rng: random.Random, voices: tuple[str, ...] = VOICES, most: int | None = None
) -> Utterance:
    """A sentence, or at most so many words, in some voice, at some speed and pitch."""
    said = sayings.sentence(rng) if most is None else sayings.some_words(rng, most)
    manner = rng.choice(voices)
    line = {
        "text": sayings.spoken(said, rng),
        "voice": rng.choice(LANGUAGES) + (f"+{manner}" if manner else ""),
        "rate": rng.randint(110, 210),
        "pitch": rng.randint(25, 75),
    }
    return Utterance(sayings.written(said), json.dumps(line), rng.uniform(0.93, 1.07))


def disturbed(samples: Samples, rng: random.Random) -> Samples:
    """The same, quieter or louder, after some silence, with some noise."""
    samples = np.pad(samples, (int(rng.uniform(0, 0.3) * RATE), int(rng.uniform(0, 0.3) * RATE)))
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(samples))
    if rng.random() < 0.5:
        noise = np.convolve(noise, np.full(rng.randint(2, 12), 0.5), "same")
    level = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** -rng.uniform(0.5, 2.5)
    return ((samples + level * noise) * rng.uniform(0.2, 1)).astype(np.float32)


def tokenizer() -> Any:
    """A token for each word of the vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {
        word: number for number, word in enumerate([*SPECIAL, sayings.UNKNOWN, *sayings.WORDS])
    }
    inner = Tokenizer(models.WordLevel(words, unk_token=sayings.UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def build(size: int) -> Any:
    """The untrained model, 1.9 million parameters."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=size, num_mel_bins=64, d_model=160, encoder_layers=3, decoder_layers=2,
            encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=512,
            decoder_ffn_dim=512, max_source_positions=WINDOW * RATE // HOP // 2,
            max_target_positions=40, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
            init_std=0.05,
        )
    )  # fmt: skip
    # As the library draws them, what is heard is a tenth as loud as where it is heard.
    for part in (model.model.encoder.conv1, model.model.encoder.conv2):
        nn.init.kaiming_normal_(part.weight)
    # Without this mark, what is set here would be made anew from the model's configuration.
    model.generation_config._from_model_config = False
    model.generation_config.max_length = 40
    return model


def ear() -> Any:
    """What makes a spectrogram of a sound."""
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(
        feature_size=64, sampling_rate=RATE, hop_length=HOP, chunk_length=WINDOW, n_fft=512
    )


class Trainee(nn.Module):
    """The model, and a second way to say what it hears, which only teaches its encoder."""

    def __init__(self, model: Any, size: int) -> None:
        super().__init__()
        self.model = model
        self.aside = nn.Linear(model.config.d_model, size)

    def forward(self, columns: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Both losses, for spectrograms (batch, 64, columns) and tokens (batch, words), 0-padded.

        The second one (CTC) needs no alignment, and without it the first takes ten times as long.
        """
        heard = self._heard(columns)
        # A row is `<s> words </s>`; what follows is not learned.
        wanted = tokens[:, 1:].masked_fill(tokens[:, 1:] == 0, -100)
        scores = self.model(encoder_outputs=(heard,), decoder_input_ids=tokens[:, :-1]).logits
        said = functional.cross_entropy(
            scores.flatten(0, 1), wanted.flatten(), label_smoothing=0.05
        )
        words = tokens[:, 1:].masked_fill(tokens[:, 1:] == 2, 0)
        chances = self.aside(heard).log_softmax(-1).transpose(0, 1)
        lengths = torch.full((len(tokens),), len(chances))
        aside = functional.ctc_loss(
            chances, words, lengths, (words > 0).sum(dim=1), zero_infinity=True
        )
        return said, aside

    def _heard(self, columns: Tensor) -> Tensor:
        """What the library's encoder does, without its demand that every sound fill the window."""
        encoder = self.model.model.encoder
        hidden = functional.gelu(encoder.conv1(columns))
        hidden = functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        return encoder.layer_norm(hidden)


class Supply:
    """Utterances and their sounds: a third of each batch is new, the rest was heard before.

    What was heard before sounds another way each time, so that speaking costs less than learning.
    """

    def __init__(self, size: int, rng: random.Random) -> None:
        self._size = size
        self._rng = rng
        self._reader = Reader()
        self._pool: list[tuple[str, NDArray[np.int16]]] = []
        self._ordered: list[Utterance] = []

    def order(self, most: int | None) -> None:
        """Have the next batch's new utterances spoken, while something else is done."""
        fresh = self._size // 3 if len(self._pool) >= POOL // 4 else self._size
        self._ordered = [utterance(self._rng, most=most) for _ in range(fresh)]
        self._reader.order(self._ordered)

    def take(self) -> list[tuple[str, Samples]]:
        """The batch: what is written down, and the samples; all of them fit the window."""
        fresh = [(one.text, self._reader.heard(one)) for one in self._ordered]
        fresh = [(text, sound) for text, sound in fresh if len(sound) <= (WINDOW - 1) * RATE]
        self._pool += [(text, (sound * 32767).astype(np.int16)) for text, sound in fresh]
        del self._pool[:-POOL]
        before = self._rng.choices(self._pool, k=self._size - len(fresh))
        return fresh + [(text, sound.astype(np.float32) / 32767) for text, sound in before]

    def clear(self) -> None:
        """Forget what was heard, because longer sentences are to come."""
        self._pool.clear()

    def close(self) -> None:
        """End the reader."""
        self._reader.close()


def batch(
    said: list[tuple[str, Samples]], hear: Any, words: Any, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Spectrograms and tokens of what was said."""
    sounds = [disturbed(sound, rng) for _, sound in said]
    longest = max(map(len, sounds))
    # Some batches fill the window, as they will where it is used.
    length = WINDOW * RATE if rng.random() < 0.06 else math.ceil(2 * longest / RATE) * RATE // 2
    columns = hear(
        sounds, sampling_rate=RATE, return_tensors="pt",
        padding="max_length", max_length=length, truncation=True,
    ).input_features  # fmt: skip
    # Every room and microphone has its own tone: up to six decibels, slowly over the bands.
    bands = torch.linspace(0, 1, columns.shape[1])
    for row in columns:
        for bend in range(3):
            tone = torch.cos(math.pi * (bend * bands + rng.random()))
            row += rng.uniform(0, 0.08) * tone[:, None]
    rows = [torch.tensor(words(f"<s> {text} </s>")["input_ids"]) for text, _ in said]
    return columns, nn.utils.rnn.pad_sequence(rows, batch_first=True)


def _most(step: int) -> int | None:
    """How many words are said at a time: few at first, which is learned ten times as fast."""
    return next((most for until, most in BEGINNING if step < until), None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="the highest rate of learning")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    words, hear = tokenizer(), ear()
    trainee = Trainee(build(len(words)), len(words)).train()
    optimiser = torch.optim.AdamW(
        trainee.parameters(), lr=options.rate, weight_decay=0.02, betas=(0.9, 0.98)
    )
    checkpoint, done = options.out / "checkpoint.pt", 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        trainee.load_state_dict(kept["trainee"])
        optimiser.load_state_dict(kept["optimiser"])
        done = kept["step"]
    rng = random.Random(options.seed + done)
    supply = Supply(options.batch, rng)
    supply.order(_most(done))
    began, recent = time.monotonic(), [0.0, 0.0]
    for step in range(done, options.steps):
        seconds = time.monotonic() - began
        spent = max(step / options.steps, seconds / (60 * options.minutes))
        slope = min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * min(1, spent))))
        for group in optimiser.param_groups:
            group["lr"] = options.rate * slope
        columns, tokens = batch(supply.take(), hear, words, rng)
        if _most(step + 1) != _most(step):
            supply.clear()
        supply.order(_most(step + 1))
        said, aside = trainee(columns, tokens)
        optimiser.zero_grad()
        (said + 0.3 * aside).backward()
        nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
        optimiser.step()
        values = [said.item(), aside.item()]
        recent = values if step == done else [
            0.95 * before + 0.05 * value for before, value in zip(recent, values, strict=True)
        ]  # fmt: skip
        over = spent >= 1 or step + 1 == options.steps
        if (step + 1) % 20 == 0 or over:
            entry = {
                "step": step + 1, "loss": round(recent[0], 4), "aside": round(recent[1], 4),
                "seconds": round(seconds),
            }  # fmt: skip
            with (options.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
        if (step + 1) % 100 == 0 or over:
            state = {"trainee": trainee.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, checkpoint)
            save(trainee.model, options.out / "listener", words, hear, known=sayings.GROUPS)
        if over:
            break
    supply.close()


if __name__ == "__main__":
    main()
