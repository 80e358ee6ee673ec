"""Sounds of the open air: weather, water and fire; motors, vehicles and warning signals."""

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
    phase_of,
    pitched,
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
