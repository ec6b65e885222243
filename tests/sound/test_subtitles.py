"""Subtitles, letter for letter as players read them."""

from __future__ import annotations

from studio.subtitles import subtitles

CUES = [
    {"start": 0, "end": 1.2345, "text": "One."},
    {"start": 3723.9996, "end": 3725.5, "text": "a < b --> c & d"},
]


def test_subrip_counts_from_one_and_writes_a_comma() -> None:
    assert subtitles(CUES, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,234\nOne.\n\n"
        "2\n01:02:04,000 --> 01:02:05,500\na < b --> c & d\n"
    )


def test_webvtt_says_what_speaks_and_has_no_markup_but_its_own() -> None:
    assert subtitles(CUES, "vtt") == (
        "WEBVTT\n\nNOTE This voice is AI-generated.\n\n"
        "1\n00:00:00.000 --> 00:00:01.234\nOne.\n\n"
        "2\n01:02:04.000 --> 01:02:05.500\na &lt; b --&gt; c &amp; d\n"
    )


def test_an_empty_line_does_not_end_a_cue() -> None:
    cue = {"start": 0, "end": 1, "text": " one\n \n00:00:05,000 --> 00:00:06,000\n\ntwo\n"}
    assert subtitles([cue], "srt") == (
        "1\n00:00:00,000 --> 00:00:01,000\none\n00:00:05,000 --> 00:00:06,000\ntwo\n"
    )


def test_a_transcript_does_not_call_its_voice_artificial() -> None:
    assert "NOTE This transcript is AI-generated." in subtitles(CUES, "vtt", heard=True)
