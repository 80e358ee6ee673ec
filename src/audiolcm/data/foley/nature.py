"""Weather, water and fire."""

import numpy as np
from numpy.random import Generator

from audiolcm.data.foley.event_class import countable, texture
from audiolcm.data.foley.primitives import (
    Signal,
    bump,
    click,
    curve,
    decay,
    filtered,
    low,
    ramps,
    random_times,
    scatter,
    seconds,
    shaped_noise,
    to_samples,
    tone,
    wander,
)


@texture(("rain", "falls", "falling"), ("rain", "pours", "pouring"))
def rain(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a steady bright hiss of far drops and separate near drops."""
    center, heaviness = voice.uniform(3000.0, 5500.0), voice.uniform(0.0, 1.0)
    hiss = shaped_noise(rng, num_samples, lambda f: bump(f, center, 1.3) + 0.25 * heaviness * low(f, 700.0))
    hiss *= 1.0 + 0.12 * wander(rng, num_samples, 2.0)
    drops = [click(rng, voice.uniform(0.004, 0.012), voice.uniform(1500.0, 6000.0), 0.4) for _ in range(12)]
    times = random_times(rng, num_samples, voice.uniform(30.0, 90.0))
    gains = rng.exponential(1.0, times.size).clip(0.1, 4.0)
    return hiss + (1.6 - heaviness) * scatter(num_samples, times, drops, gains)


@texture(("wind", "blows", "blowing"), ("the wind", "howls", "howling"))
def wind(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return slow gusts through low whistling resonances."""
    base, depth = voice.uniform(220.0, 420.0), voice.uniform(0.5, 0.95)
    sound = 0.3 * shaped_noise(rng, num_samples, lambda f: low(f, 180.0, 1.5) * (f > 30.0))
    for ratio in (1.0, 1.55, 2.4):
        band = shaped_noise(rng, num_samples, lambda f, c=base * ratio: bump(f, c, 0.16))
        gust = 1.0 + depth * wander(rng, num_samples, voice.uniform(0.5, 1.1))
        sound += band * gust**2 / ratio
    return sound


@texture(("sea waves", "crash", "crashing"), ("ocean waves", "roll", "rolling"), shortest=1.2)
def sea_waves(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a swell that builds up, breaks bright and draws back."""
    period = voice.uniform(2.6, 4.5)
    cycle = (seconds(num_samples) / period + rng.uniform(0.0, 0.4)) % 1.0
    swell = np.where(cycle < 0.4, (cycle / 0.4) ** 2, np.exp(-4.0 * (cycle - 0.4)))
    roar = shaped_noise(rng, num_samples, lambda f: low(f, 450.0, 1.0) * (f > 40.0))
    crash = shaped_noise(rng, num_samples, lambda f: bump(f, 1200.0, 1.3))
    foam = shaped_noise(rng, num_samples, lambda f: bump(f, 5000.0, 0.7))
    back = np.clip((cycle - 0.4) / 0.1, 0.0, 1.0) * np.exp(-3.0 * np.clip(cycle - 0.4, 0.0, 1.0))
    return roar * (0.25 + 0.6 * swell) + 1.1 * crash * swell**1.5 + 0.3 * foam * back + 0.06 * crash


@countable(
    ("thunder", "rumbles", "rumbling"), ("thunder", "claps", "clapping"), unit=(1.3, 2.4), gap=(0.3, 0.6)
)
def thunder(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a crack, then a rolling low rumble that dies away."""
    closeness, center = voice.uniform(0.1, 1.0), voice.uniform(55.0, 110.0)
    length = num_samples / 16_000
    rumble = shaped_noise(rng, num_samples, lambda f: bump(f, center, 0.9) + 0.05 * low(f, 700.0))
    roll = (0.55 + 0.45 * wander(rng, num_samples, 6.0)) * decay(num_samples, 0.45 * length)
    crack = shaped_noise(rng, num_samples, lambda f: low(f, 2500.0, 1.0) * (f > 100.0))
    tearing = np.abs(wander(rng, num_samples, 40.0)) * decay(num_samples, 0.12)
    sound = (
        rumble * roll * curve(num_samples, (0.0, 0.6), (0.15, 1.0), (1.0, 0.5)) + closeness * crack * tearing
    )
    return sound * ramps(num_samples, 0.01, 0.3 * length)


@texture(("a fire", "crackles", "crackling"), ("a campfire", "burns", "burning"))
def crackling_fire(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return sharp irregular snaps over a soft flicker."""
    flicker = shaped_noise(rng, num_samples, lambda f: low(f, 160.0, 1.5) * (f > 40.0) + 0.004)
    flicker *= 0.08 * (1.0 + 0.6 * wander(rng, num_samples, 5.0))
    snaps = [click(rng, voice.uniform(0.002, 0.01), voice.uniform(1000.0, 5000.0), 1.5) for _ in range(16)]
    bursts = random_times(rng, num_samples, voice.uniform(1.0, 3.0))
    crackle = (bursts[:, None] + rng.exponential(0.05, (bursts.size, 5))).ravel()
    times = np.concatenate([random_times(rng, num_samples, voice.uniform(4.0, 10.0)), crackle])
    gains = (rng.pareto(1.5, times.size) + 0.06).clip(0.06, 2.0)
    return flicker + scatter(num_samples, times, snaps, gains)


@texture(("a stream", "flows", "flowing"), ("water", "trickles", "trickling"))
def stream(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return many small bubbles of rising pitch over a light wash."""
    bubbles = []
    for _ in range(24):
        size = to_samples(voice.uniform(0.02, 0.07))
        pitch = voice.uniform(500.0, 2200.0) * curve(size, (0.0, 1.0), (1.0, voice.uniform(1.1, 1.7)))
        bubbles.append(tone(pitch) * decay(size, size / 16_000 / 3) * ramps(size, 0.003, 0.01))
    times = random_times(rng, num_samples, voice.uniform(60.0, 130.0))
    gains = rng.exponential(1.0, times.size).clip(0.1, 3.0)
    wash = shaped_noise(rng, num_samples, lambda f: bump(f, 1100.0, 0.9))
    return scatter(num_samples, times, bubbles, gains) + 0.12 * wash


@countable(
    ("a water drop", "drips", "dripping"),
    ("a drop of water", "falls", "falling"),
    unit=(0.16, 0.24),
    gap=(0.2, 0.7),
)
def water_drops(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one drop: a tick, then a short bubble of rising pitch with an echo."""
    pitch = voice.uniform(700.0, 1500.0) * rng.uniform(0.93, 1.07)
    rise = curve(num_samples, (0.0, 1.0), (0.25, voice.uniform(1.3, 1.7)), (1.0, 1.9))
    bubble = (
        tone(pitch * rise) * decay(num_samples, voice.uniform(0.02, 0.035)) * ramps(num_samples, 0.002, 0.02)
    )
    echo = np.zeros(num_samples)
    delay = to_samples(0.045)
    echo[delay:] = bubble[:-delay]
    sound = bubble + 0.3 * filtered(echo, lambda f: low(f, 1800.0))
    return sound + scatter(num_samples, np.zeros(1), [click(rng, 0.004, 4500.0, 0.5)], np.array([0.25]))
