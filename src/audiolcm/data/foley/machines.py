"""Motors, vehicles and warning signals."""

import numpy as np
from numpy.random import Generator

from audiolcm.data.foley.event_class import countable, texture
from audiolcm.data.foley.primitives import (
    Signal,
    bump,
    click,
    curve,
    filtered,
    low,
    phase_of,
    pitched,
    ramps,
    scatter,
    seconds,
    shaped_noise,
    tone,
    wander,
)


@texture(("an engine", "runs", "running"), ("a motor", "idles", "idling"))
def engine(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return an idling or revving piston engine: low irregular pulses through an exhaust resonance."""
    speed, revs, exhaust = voice.uniform(28.0, 60.0), voice.uniform(0.03, 0.25), voice.uniform(110.0, 220.0)
    frequency = speed * (1.0 + revs * wander(rng, num_samples, 0.8) + 0.03 * wander(rng, num_samples, 30.0))
    pulses = pitched(
        frequency, lambda f: bump(f, exhaust, 0.7) + 0.25 * bump(f, 600.0, 0.6) + 0.01 * low(f, 2000.0)
    )
    firing = 0.5 + 0.5 * np.cos(2.0 * np.pi * phase_of(frequency))
    hiss = shaped_noise(rng, num_samples, lambda f: bump(f, 900.0, 1.3))
    return pulses + 0.22 * hiss * firing**2


@texture(("a helicopter", "hovers", "hovering"), ("a helicopter", "flies", "flying"))
def helicopter(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return blade slaps about fifteen times a second under a turbine whine."""
    rate, pitch = voice.uniform(11.0, 19.0), voice.uniform(900.0, 1700.0)
    phase = phase_of(rate * (1.0 + 0.02 * wander(rng, num_samples, 1.0))) % 1.0
    slap = np.exp(-7.0 * phase)
    thump = shaped_noise(rng, num_samples, lambda f: bump(f, 110.0, 0.7))
    chop = shaped_noise(rng, num_samples, lambda f: bump(f, 550.0, 1.2))
    whine = tone(pitch * (1.0 + 0.003 * wander(rng, num_samples, 5.0)))
    slow = 1.0 + 0.2 * wander(rng, num_samples, 0.7)
    return slow * (thump * (0.25 + slap) + 0.8 * chop * (0.22 + slap)) + 0.05 * whine


def _wail(voice: Generator, t: Signal) -> Signal:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * t / voice.uniform(1.8, 3.5))


def _yelp(voice: Generator, t: Signal) -> Signal:
    return (t / voice.uniform(0.28, 0.45)) % 1.0


def _two_tone(voice: Generator, t: Signal) -> Signal:
    return ((t / voice.uniform(0.8, 1.2)) % 1.0 < 0.5) * 0.45 + 0.1


@texture(("a siren", "wails", "wailing"), ("an emergency siren", "sounds", "sounding"), shortest=1.0)
def siren(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return an electronic siren: wail, yelp or two tones between about 550 and 1400 Hz."""
    pattern = (_wail, _wail, _yelp, _two_tone)[int(voice.integers(4))]
    bottom, span = voice.uniform(500.0, 650.0), voice.uniform(600.0, 850.0)
    sweep = pattern(voice, seconds(num_samples) + rng.uniform(0.0, 0.3))
    return pitched(bottom + span * sweep, lambda f: bump(f, 1300.0, 1.0))


@texture(("a train", "passes", "passing"), ("a train", "rolls", "rolling"), shortest=1.1)
def train(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a rolling rumble with pairs of clacks at the rail joints."""
    period, pair = voice.uniform(0.5, 0.95), voice.uniform(0.13, 0.2)
    rumble = shaped_noise(rng, num_samples, lambda f: bump(f, 90.0, 0.8) + 0.12 * bump(f, 500.0, 1.2))
    clacks = [click(rng, 0.09, 320.0, 0.6) + 0.8 * click(rng, 0.09, 1500.0, 0.5) for _ in range(4)]
    first = np.arange(rng.uniform(0.0, 0.3), num_samples / 16_000, period)
    times = np.stack([first, first + pair], axis=1).ravel()
    gains = rng.uniform(2.2, 3.2, times.size)
    squeal = tone(voice.uniform(2300.0, 3200.0) * (1.0 + 0.01 * wander(rng, num_samples, 6.0)))
    squeal *= 0.08 * np.clip(wander(rng, num_samples, 1.5), 0.0, 1.0)
    return (
        rumble * (1.0 + 0.25 * wander(rng, num_samples, 3.0))
        + scatter(num_samples, times, clacks, gains)
        + squeal
    )


@countable(("a car horn", "honks", "honking"), ("a car", "honks", "honking"), unit=(0.3, 0.8), gap=(0.2, 0.5))
def car_horn(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one honk: two reedy tones a third apart."""
    pitch = voice.uniform(340.0, 460.0)
    detune = 1.0 + 0.002 * wander(rng, num_samples, 6.0)
    reed = [pitched(pitch * ratio * detune, lambda f: bump(f, 1900.0, 1.2)) for ratio in (1.0, 1.26)]
    return (reed[0] + reed[1]) * ramps(num_samples, 0.015, 0.05)


@countable(
    ("an alarm", "beeps", "beeping"),
    ("an electronic alarm", "beeps", "beeping"),
    unit=(0.14, 0.35),
    gap=(0.16, 0.35),
)
def alarm(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one beep of an electronic alarm: a high steady tone with an odd harmonic."""
    pitch, second = voice.uniform(1700.0, 3100.0), voice.uniform(0.0, 0.3)
    flat = np.full(num_samples, pitch) * (1.0 + 0.0005 * rng.uniform(-1.0, 1.0))
    return (tone(flat) + second * tone(np.minimum(3.0 * flat, 7500.0))) * ramps(num_samples, 0.005, 0.012)


@texture(("a chainsaw", "revs", "revving"), ("a chainsaw", "buzzes", "buzzing"))
def chainsaw(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a two-stroke buzz with harsh upper partials whose speed is blipped."""
    speed, blips = voice.uniform(120.0, 210.0), voice.uniform(0.8, 2.0)
    throttle = np.clip(0.65 + 0.6 * wander(rng, num_samples, blips), 0.25, 1.0)
    frequency = speed * (0.55 + 0.75 * throttle) * (1.0 + 0.02 * wander(rng, num_samples, 90.0))
    buzz = pitched(frequency, lambda f: (bump(f, 2300.0, 1.0) + 0.6 * bump(f, 450.0, 0.8)) * low(f, 6500.0))
    grit = shaped_noise(rng, num_samples, lambda f: bump(f, 3600.0, 0.9))
    firing = 0.5 + 0.5 * np.cos(2.0 * np.pi * phase_of(frequency))
    return (buzz + 0.35 * grit * firing) * (0.35 + 0.65 * throttle)


@texture(("a saw", "cuts wood", "cutting wood"), ("a hand saw", "saws", "sawing"))
def hand_saw(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return strokes back and forth: rasping noise, brighter on the push."""
    stroke, teeth = voice.uniform(0.26, 0.42), voice.uniform(70.0, 110.0)
    cycle = seconds(num_samples) / stroke
    push = (cycle.astype(int) % 2) == 0
    effort = np.sin(np.pi * (cycle % 1.0)) ** 0.8
    rasp = 0.55 + 0.45 * np.sin(2.0 * np.pi * phase_of(teeth * (0.6 + effort)))
    bright = shaped_noise(rng, num_samples, lambda f: bump(f, 4200.0, 0.6))
    dull = shaped_noise(rng, num_samples, lambda f: bump(f, 2100.0, 0.6))
    return effort**1.5 * rasp * np.where(push, bright, 0.6 * dull)


@texture(("a vacuum cleaner", "hums", "humming"), ("a vacuum cleaner", "runs", "running"))
def vacuum_cleaner(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a steady motor hum with strong harmonics in rushing air."""
    speed = voice.uniform(180.0, 320.0) * (1.0 + 0.004 * wander(rng, num_samples, 3.0))
    motor = pitched(speed, lambda f: bump(f, 900.0, 1.4), rng=voice)
    air = shaped_noise(rng, num_samples, lambda f: bump(f, 1300.0, 1.1) + 0.15 * low(f, 6000.0))
    return motor + 0.9 * air


@texture(("an airplane", "flies over", "flying over"), ("a jet", "passes over", "passing over"), shortest=1.2)
def airplane(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a jet passing over: a low roar that swells and darkens, with a whine of falling pitch."""
    start, fall = voice.uniform(1500.0, 2400.0), voice.uniform(0.55, 0.75)
    roar = shaped_noise(rng, num_samples, lambda f: bump(f, 260.0, 1.1))
    bright = shaped_noise(rng, num_samples, lambda f: bump(f, 1500.0, 1.0))
    whine = tone(start * curve(num_samples, (0.0, 1.0), (0.35, 0.95), (0.65, fall * 1.05), (1.0, fall)))
    near = curve(num_samples, (0.0, 0.1), (0.5, 1.0), (1.0, 0.1))
    sound = roar * near + 0.5 * bright * near**2 * curve(num_samples, (0.0, 1.0), (0.5, 1.0), (1.0, 0.3))
    return filtered(sound, lambda f: f > 40.0) + 0.12 * whine * near
