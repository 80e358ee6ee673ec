"""Things of the house and things that are struck or burst."""

import numpy as np
from numpy.random import Generator

from audiolcm.data.foley.event_class import countable, texture
from audiolcm.data.foley.primitives import (
    Signal,
    bump,
    click,
    curve,
    decay,
    low,
    modes,
    pitched,
    ramps,
    scatter,
    seconds,
    shaped_noise,
    tone,
)


@countable(
    ("a clock", "ticks", "ticking"), ("a wall clock", "ticks", "ticking"), unit=(0.05, 0.08), gap=(0.25, 0.75)
)
def clock_tick(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one tick: a tiny metallic click with two quick bounces."""
    body = voice.uniform(1800.0, 3600.0) * np.array([1.0, 1.62, 2.3]) * (1.0 + 0.06 * rng.integers(2))
    ring = modes(num_samples, body, np.array([0.006, 0.004, 0.003]), np.array([1.0, 0.7, 0.5]))
    bounce = [click(rng, 0.006, 3200.0, 0.6)]
    return ring + scatter(num_samples, np.array([0.0, 0.011, 0.019]), bounce, np.array([1.0, 0.5, 0.3]))


@texture(("someone", "types", "typing"), ("a keyboard", "clatters", "clattering"))
def typing(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return uneven key strokes, each a down click and a softer up click."""
    rate = voice.uniform(5.5, 9.0)
    gaps = rng.gamma(5.0, 1.0 / (5.0 * rate), int(rate * num_samples / 16_000 * 1.6) + 4)
    gaps[rng.random(gaps.size) < 0.08] += 0.15
    down = np.cumsum(gaps) - gaps[0]
    keys = [
        click(rng, 0.022, voice.uniform(1500.0, 2600.0), 0.7) + 0.5 * click(rng, 0.022, 300.0, 0.5)
        for _ in range(9)
    ]
    ups = [click(rng, 0.01, voice.uniform(2800.0, 4200.0), 0.6) for _ in range(9)]
    sound = scatter(num_samples, down, keys, rng.uniform(0.6, 1.0, down.size))
    release = down + rng.uniform(0.06, 0.09, down.size)
    return sound + scatter(num_samples, release, ups, rng.uniform(0.2, 0.4, down.size))


@countable(
    ("a phone", "rings", "ringing"), ("a telephone", "rings", "ringing"), unit=(0.7, 1.1), gap=(0.3, 0.6)
)
def phone_ring(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one ring of an old telephone: a hammer trills between two small bells."""
    pitch, rate = voice.uniform(1000.0, 1500.0), voice.uniform(18.0, 25.0)
    strike = (seconds(num_samples) * rate) % 1.0
    second = (np.floor(seconds(num_samples) * rate) % 2.0) == 1.0
    bells = []
    for ratio in (1.0, voice.uniform(1.12, 1.3)):
        partials = [(1.0, 1.0), (2.76, 0.5), (4.1, 0.2)]
        tones = (
            gain * tone(np.full(num_samples, pitch * ratio * k))
            for k, gain in partials
            if pitch * ratio * k < 7600
        )
        bells.append(sum(tones))
    sound = np.where(
        second, bells[1] * (0.35 + np.exp(-4.0 * strike)), bells[0] * (0.35 + np.exp(-4.0 * strike))
    )
    return sound * ramps(num_samples, 0.008, 0.12) * rng.uniform(0.97, 1.0)


@countable(
    ("someone", "knocks", "knocking"),
    ("someone", "knocks on a door", "knocking on a door"),
    unit=(0.13, 0.18),
    gap=(0.16, 0.35),
)
def door_knock(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one knock on a wooden door: a dull thud with a few short modes."""
    board = voice.uniform(120.0, 240.0) * np.array([1.0, 1.9, 3.1, 4.7]) * rng.uniform(0.98, 1.02)
    thud = modes(num_samples, board, np.array([0.03, 0.02, 0.012, 0.007]), np.array([1.0, 0.8, 0.5, 0.3]))
    knuckle = click(rng, 0.02, voice.uniform(900.0, 1700.0), 0.8)
    return thud + scatter(num_samples, np.zeros(1), [knuckle], np.array([0.6]))


@countable(
    ("a church bell", "tolls", "tolling"), ("a bell", "rings", "ringing"), unit=(1.0, 1.7), gap=(0.2, 0.4)
)
def bell(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one stroke of a church bell: hum, prime, minor third, fifth, nominal and upper partials."""
    pitch = voice.uniform(330.0, 700.0)
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.01, 2.67, 3.0, 4.2, 5.4])
    gains = np.array([0.5, 0.8, 0.7, 0.4, 1.0, 0.6, 0.5, 0.4, 0.3, 0.2]) * rng.uniform(
        0.85, 1.15, ratios.size
    )
    ringing = voice.uniform(0.45, 0.7) / ratios**0.55
    clang = scatter(num_samples, np.zeros(1), [click(rng, 0.03, 3000.0, 0.8)], np.array([0.8]))
    return (modes(num_samples, pitch * ratios, ringing, gains) + clang) * ramps(num_samples, 0.001, 0.2)


@countable(
    ("a doorbell", "rings", "ringing"), ("a doorbell", "chimes", "chiming"), unit=(1.0, 1.4), gap=(0.25, 0.5)
)
def doorbell(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one ding-dong: two chime notes, the second a third lower."""
    pitch, drop = voice.uniform(600.0, 800.0), voice.uniform(0.76, 0.84)
    half = int(0.42 * num_samples)
    ratios, gains = np.array([1.0, 2.0, 3.0, 4.07]), np.array([1.0, 0.35, 0.15, 0.12])
    ding = modes(num_samples, pitch * ratios, 0.28 / ratios**0.5, gains)
    dong = modes(num_samples - half, pitch * drop * ratios, 0.32 / ratios**0.5, gains)
    ding[half:] += dong * rng.uniform(0.95, 1.05)
    return ding * ramps(num_samples, 0.002, 0.15)


@countable(
    ("glass", "breaks", "breaking"), ("glass", "shatters", "shattering"), unit=(0.6, 1.1), gap=(0.3, 0.6)
)
def glass_breaking(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a bright crash, then shards that ring as they land."""
    crash = shaped_noise(rng, num_samples, lambda f: bump(f, 4500.0, 0.9)) * decay(num_samples, 0.05)
    shards = []
    for _ in range(10):
        partials = voice.uniform(2200.0, 4500.0) * np.array([1.0, 1.37, 1.71])
        shards.append(modes(1600, partials, np.array([0.025, 0.018, 0.012]), np.array([1.0, 0.7, 0.5])))
    length = num_samples / 16_000
    times = 0.85 * length * ((np.arange(30) + rng.random(30)) / 30) ** 1.8
    gains = 0.9 * np.exp(-2.0 * times / length) * rng.uniform(0.3, 1.0, times.size)
    return (2.0 * crash + scatter(num_samples, times, shards, gains)) * ramps(num_samples, 0.001, 0.08)


@countable(
    ("a bomb", "explodes", "exploding"),
    ("an explosive", "blows up", "blowing up"),
    unit=(1.2, 2.0),
    gap=(0.3, 0.5),
)
def explosion(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a blast over the whole spectrum, then a deep boom and falling debris."""
    deep, length = voice.uniform(45.0, 80.0), num_samples / 16_000
    blast = shaped_noise(rng, num_samples, lambda f: low(f, 1800.0, 0.8) * (f > 30.0)) * decay(
        num_samples, 0.1 * length
    )
    boom = shaped_noise(rng, num_samples, lambda f: bump(f, deep * 1.5, 0.8)) * decay(
        num_samples, 0.28 * length
    )
    sub = tone(deep * curve(num_samples, (0.0, 1.6), (0.3, 1.0), (1.0, 0.7))) * decay(
        num_samples, 0.2 * length
    )
    debris = [click(rng, 0.03, voice.uniform(600.0, 2500.0), 0.7) for _ in range(6)]
    times = rng.uniform(0.2, 0.75, 25) * length
    rubble = scatter(num_samples, times, debris, 0.25 * np.exp(-2.5 * times / length))
    return np.tanh(1.5 * (1.6 * blast + boom + sub)) * ramps(num_samples, 0.002, 0.3 * length) + rubble


@countable(("a gun", "fires", "firing"), ("a rifle", "shoots", "shooting"), unit=(0.3, 0.45), gap=(0.2, 0.6))
def gunshot(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one shot: a very sharp crack with a short bright echo."""
    crack = shaped_noise(rng, num_samples, lambda f: bump(f, 1400.0, 1.6)) * decay(num_samples, 0.018)
    echo = shaped_noise(rng, num_samples, lambda f: bump(f, 700.0, 1.0)) * decay(
        num_samples, voice.uniform(0.06, 0.1)
    )
    return np.tanh(2.5 * crack) + 0.35 * echo * ramps(num_samples, 0.02, 0.1)


@countable(
    ("a hammer", "strikes metal", "striking metal"),
    ("a hammer", "clangs", "clanging"),
    unit=(0.2, 0.28),
    gap=(0.18, 0.5),
)
def hammer(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one blow on metal: high inharmonic modes that ring briefly."""
    body = voice.uniform(700.0, 1300.0) * np.array([1.0, 1.83, 2.56, 3.42, 4.61, 5.9])
    ringing = voice.uniform(0.035, 0.06) * np.array([1.0, 0.9, 0.8, 0.7, 0.5, 0.4])
    gains = np.array([0.6, 0.8, 1.0, 0.8, 0.7, 0.5]) * rng.uniform(0.85, 1.15, body.size)
    blow = scatter(num_samples, np.zeros(1), [click(rng, 0.012, 2500.0, 1.2)], np.array([1.5]))
    return modes(num_samples, body, ringing, gains) + blow


@countable(
    ("a door", "creaks", "creaking"),
    ("a wooden door", "squeaks", "squeaking"),
    unit=(0.6, 1.1),
    gap=(0.3, 0.6),
)
def door_creak(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one creak: stick-slip pulses whose rate climbs and falls through wooden resonances."""
    base, center = voice.uniform(55.0, 95.0), voice.uniform(900.0, 1500.0)
    frequency = base * curve(num_samples, (0.0, 0.8), (0.5, 1.9), (0.8, 1.5), (1.0, 1.0))
    frequency *= 1.0 + 0.08 * curve(num_samples, (0.0, 0.0), (0.5, rng.uniform(-1.0, 1.0)), (1.0, 0.0))
    wood = pitched(
        frequency,
        lambda f: bump(f, center, 0.22) + 0.7 * bump(f, 1.9 * center, 0.2) + 0.4 * bump(f, 4000.0, 0.3),
    )
    return wood * ramps(num_samples, 0.06, 0.12)
