"""Models that see, of the real classes, tiny and random; and pictures for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf

from studio.draft import Draft
from studio.families import Order, Spec
from studio.fields import build
from studio.tasks import TASKS
from tests.words.test_transformers_text import byte_tokenizer

TOWER = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
SPEECH = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 160,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
MARKS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
TEMPLATE = (
    "{% for message in messages %}{% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endfor %}:"
)


def order(task: str, folder: Path, number: int = 0, **asked: Any) -> Order:
    """Order `number` about as many random pictures as its request names."""
    named = ["image"]
    if task == "image-ranking":
        asked = {"images": ["a", "b", "c"], "prompt": "a cat", **asked}
        named = [f"images.{place}" for place in range(len(asked["images"]))]
    else:
        asked = {"image": "a", **asked}
    inputs = {}
    for place, name in enumerate(named):
        noise = np.random.default_rng(number * 10 + place).integers(0, 256, (40, 48, 3), np.uint8)
        inputs[name] = Draft("image", 0, 0, {"pixels": noise}).spool(folder / f"{number}-{name}")
    request = build(TASKS[task].request, asked).model_dump()
    return Order("job", number, task, request, 40 + number, inputs)


def spec(name: str, folder: Path) -> Spec:
    """A tiny model of the class `name`, saved below `folder`."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": list(MARKS)})
    image = tokenizer.convert_tokens_to_ids("<image>")
    words = SPEECH | {"vocab_size": len(tokenizer)}
    plain = {key: value for key, value in words.items() if key != "num_key_value_heads"}
    pictures = tf.CLIPImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=False)
    processor: Any
    if name == "llava":
        config: Any = tf.LlavaConfig(
            vision_config=tf.CLIPVisionConfig(**TOWER), text_config=tf.LlamaConfig(**words),
            image_token_index=image,
        )  # fmt: skip
        processor = tf.LlavaProcessor(
            pictures, tokenizer, patch_size=8, vision_feature_select_strategy="default",
            num_additional_image_tokens=1, chat_template=TEMPLATE,
        )  # fmt: skip
        model: Any = tf.LlavaForConditionalGeneration(config)
    elif name == "blip-2":
        config = tf.Blip2Config(
            vision_config=tf.Blip2VisionConfig(**TOWER).to_dict(),
            qformer_config=tf.Blip2QFormerConfig(
                hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                encoder_hidden_size=32, vocab_size=len(tokenizer),
            ).to_dict(),
            text_config=tf.OPTConfig(
                hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
                word_embed_proj_dim=32, max_position_embeddings=160, vocab_size=len(tokenizer),
                pad_token_id=0, bos_token_id=1, eos_token_id=2,
            ).to_dict(),
            num_query_tokens=4, image_token_index=image,
        )  # fmt: skip
        processor = tf.Blip2Processor(pictures, tokenizer, num_query_tokens=4)
        model = tf.Blip2ForConditionalGeneration(config)
    elif name == "idefics3":
        config = tf.Idefics3Config(
            vision_config=TOWER, text_config=tf.LlamaConfig(**words), image_token_id=image,
            scale_factor=2, pad_token_id=0,
        )  # fmt: skip
        cut = tf.Idefics3ImageProcessorPil(
            size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
        )
        processor = tf.Idefics3Processor(cut, tokenizer, image_seq_len=4, chat_template=TEMPLATE)
        model = tf.Idefics3ForConditionalGeneration(config)
    elif name == "clip":
        config = tf.CLIPConfig(text_config=plain, vision_config=TOWER, projection_dim=16)
        processor = tf.CLIPProcessor(pictures, tokenizer)
        model = tf.CLIPModel(config)
    else:
        text = plain | {"projection_size": 32}
        config = tf.SiglipConfig(text_config=text, vision_config=TOWER)
        processor = tf.SiglipProcessor(
            tf.SiglipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer
        )
        model = tf.SiglipModel(config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    prompts = {"visual-question-answering": "Question: {asked} Answer:"}
    return Spec("tiny", folder, "float32", None, {"prompts": prompts})
