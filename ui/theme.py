"""How the pages look: Gradio's own variables set once, so that every component agrees.

Paper and ink, one blue. System fonts only: nothing is fetched.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.colors import Color

INK = Color(
    name="ink",
    c50="#f8f7f4",
    c100="#f0eee9",
    c200="#e2dfd8",
    c300="#cbc7be",
    c400="#98948b",
    c500="#6b6860",
    c600="#57544e",
    c700="#3c3a36",
    c800="#282724",
    c900="#1d1c1a",
    c950="#141312",
)
BLUE = Color(
    name="blue",
    c50="#eef2fb",
    c100="#dde5f7",
    c200="#bccbef",
    c300="#94abe4",
    c400="#7f9be0",
    c500="#4767c4",
    c600="#2f4fae",
    c700="#274290",
    c800="#223873",
    c900="#1d2f5e",
    c950="#141f3f",
)


def theme() -> gr.themes.Base:
    """The studio's theme, light and dark."""
    return gr.themes.Base(
        primary_hue=BLUE,
        secondary_hue=BLUE,
        neutral_hue=INK,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        panel_background_fill="transparent",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_width="1px",
        input_padding="10px 12px",
        layout_gap="20px",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_primary_shadow="none",
        color_accent="*primary_600",
    )
