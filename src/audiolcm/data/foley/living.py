"""Sounds that animals and people make."""

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
    gliding_voice,
    low,
    modes,
    pitched,
    ramps,
    random_times,
    scatter,
    seconds,
    shaped_noise,
    to_samples,
    tone,
    vowel,
    wander,
)

_CROW_PITCH = (
    *((0.0, 0.8), (0.12, 1.0), (0.17, 1.15), (0.27, 1.2)),
    *((0.32, 1.45), (0.55, 1.6), (0.8, 1.35), (1.0, 0.75)),
)
_CROW_LEVEL = (
    *((0.0, 0.0), (0.03, 0.7), (0.12, 0.7), (0.14, 0.03), (0.165, 0.03)),
    *((0.18, 0.7), (0.25, 0.7), (0.27, 0.03), (0.295, 0.03)),
    *((0.31, 0.85), (0.42, 0.85), (0.44, 0.15), (0.46, 0.15)),
    *((0.48, 1.0), (0.8, 0.9), (1.0, 0.0)),
)
"""Relative pitch and loudness of "cock-a-doodle-doo" at fractions of its length."""


@countable(("a dog", "barks", "barking"), ("a dog", "woofs", "woofing"), unit=(0.2, 0.36), gap=(0.18, 0.55))
def dog(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one bark: a rough voice whose pitch jumps up and falls, with a noisy attack."""
    pitch, scale = voice.uniform(280.0, 620.0), voice.uniform(0.85, 1.2)
    peak = rng.uniform(1.3, 1.6)
    frequency = pitch * curve(num_samples, (0.0, 0.75), (0.18, peak), (0.5, 1.1), (1.0, 0.55))
    frequency *= 1.0 + 0.06 * wander(rng, num_samples, 220.0)
    formants = ((650.0 * scale, 1.0), (1250.0 * scale, 0.9), (2600.0 * scale, 0.35))
    breath = shaped_noise(rng, num_samples, vowel(formants, slope=0.2))
    sound = pitched(frequency, vowel(formants, slope=0.5)) + 0.35 * breath
    return sound * curve(num_samples, (0.0, 0.0), (0.06, 0.9), (0.3, 1.0), (0.65, 0.35), (1.0, 0.0)) ** 1.3


@countable(
    ("a bird", "chirps", "chirping"), ("a bird", "tweets", "tweeting"), unit=(0.3, 0.65), gap=(0.25, 0.6)
)
def bird(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one phrase of two to four whistled notes that sweep quickly."""
    base, count = voice.uniform(2600.0, 4600.0), int(voice.integers(2, 5))
    begin, end = voice.uniform(0.8, 1.3, count), voice.uniform(0.8, 1.3, count)
    bend, trill = voice.uniform(-0.25, 0.25, count), voice.uniform(0.0, 0.06)
    sound = np.zeros(num_samples)
    step = num_samples / count
    for i in range(count):
        size = int(step - to_samples(0.03 if i + 1 < count else 0.0))
        shape = curve(size, (0.0, begin[i]), (0.5, 0.5 * (begin[i] + end[i]) + bend[i]), (1.0, end[i]))
        vibrato = 1.0 + trill * np.sin(2.0 * np.pi * 38.0 * seconds(size))
        note = tone(base * rng.uniform(0.97, 1.03) * shape * vibrato) * ramps(size, 0.012, 0.02)
        sound[int(i * step) : int(i * step) + size] = note * rng.uniform(0.7, 1.0)
    return sound


@texture(("a cricket", "chirps", "chirping"), ("a cricket", "sings", "singing"))
def cricket(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return chirps of three to five pulses of one high tone, about three a second."""
    pitch, pulse_rate = voice.uniform(4200.0, 5400.0), voice.uniform(45.0, 65.0)
    pulses, period = int(voice.integers(3, 6)), voice.uniform(0.25, 0.42)
    t = seconds(num_samples) + 0.004 * wander(rng, num_samples, 4.0)
    inside = (t % period) < pulses / pulse_rate
    pulse = np.sin(np.pi * ((t % period) * pulse_rate % 1.0)) ** 1.5 * inside
    carrier = tone(pitch * (1.0 + 0.004 * wander(rng, num_samples, 8.0)))
    return carrier * pulse * (1.0 + 0.2 * wander(rng, num_samples, 3.0))


@countable(("a rooster", "crows", "crowing"), ("a cock", "crows", "crowing"), unit=(1.3, 2.0), gap=(0.4, 0.7))
def rooster(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a crow of four syllables, the last one long and falling."""
    pitch = voice.uniform(520.0, 700.0) * rng.uniform(0.97, 1.03)
    shape = curve(num_samples, *_CROW_PITCH)
    frequency = pitch * shape * (1.0 + 0.015 * wander(rng, num_samples, 60.0))
    formants = ((1100.0, 1.0), (1900.0, 0.8), (3100.0, 0.6))
    sound = pitched(frequency, vowel(formants, slope=0.2)) + 0.12 * shaped_noise(
        rng, num_samples, vowel(formants)
    )
    syllables = curve(num_samples, *_CROW_LEVEL)
    return sound * syllables


@countable(("a cat", "meows", "meowing"), ("a kitten", "mews", "mewing"), unit=(0.5, 0.9), gap=(0.3, 0.7))
def cat(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one meow: a nasal voice that opens from "ee" over "ah" to "oo" while the pitch arcs."""
    pitch = voice.uniform(430.0, 720.0) * rng.uniform(0.95, 1.05)
    frequency = pitch * curve(num_samples, (0.0, 0.85), (0.35, 1.25), (0.7, 1.05), (1.0, 0.75))
    frequency *= 1.0 + 0.01 * wander(rng, num_samples, 30.0)
    mouth = (
        ((500.0, 0.6), (2500.0, 0.9)),
        ((1000.0, 1.0), (1800.0, 0.9), (3200.0, 0.3)),
        ((900.0, 1.0), (1400.0, 0.6)),
        ((500.0, 1.0), (900.0, 0.3)),
    )
    return gliding_voice(frequency, mouth, slope=0.4) * ramps(num_samples, 0.07, 0.2)


@countable(("a cow", "moos", "mooing"), ("a cow", "lows", "lowing"), unit=(0.9, 1.5), gap=(0.35, 0.7))
def cow(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one moo: low pitch that rises and falls, closed "m" opening to "oo"."""
    pitch = voice.uniform(95.0, 160.0) * rng.uniform(0.97, 1.03)
    frequency = pitch * curve(num_samples, (0.0, 0.85), (0.25, 1.1), (0.7, 1.15), (1.0, 0.8))
    frequency *= 1.0 + 0.012 * wander(rng, num_samples, 40.0)
    mouth = (((220.0, 1.0),), ((380.0, 1.0), (800.0, 0.4)), ((450.0, 1.0), (950.0, 0.5)), ((300.0, 1.0),))
    return gliding_voice(frequency, mouth, slope=0.9) * ramps(num_samples, 0.12, 0.25)


@countable(
    ("a frog", "croaks", "croaking"), ("a toad", "croaks", "croaking"), unit=(0.3, 0.5), gap=(0.25, 0.6)
)
def frog(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one croak: a slow train of pulses through a low throat resonance."""
    center = voice.uniform(550.0, 1100.0)
    frequency = voice.uniform(32.0, 48.0) * curve(num_samples, (0.0, 0.9), (1.0, 1.2))
    frequency *= 1.0 + 0.04 * wander(rng, num_samples, 60.0)
    throat = pitched(frequency, lambda f: bump(f, center, 0.22) + 0.45 * bump(f, 2.1 * center, 0.25))
    return throat * curve(num_samples, (0.0, 0.3), (0.1, 0.7), (0.7, 1.0), (1.0, 0.0))


@countable(
    ("a sheep", "bleats", "bleating"), ("a lamb", "bleats", "bleating"), unit=(0.6, 1.0), gap=(0.3, 0.6)
)
def sheep(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one bleat: a nasal voice shaken about nine times a second."""
    pitch, shake = voice.uniform(240.0, 380.0) * rng.uniform(0.97, 1.03), voice.uniform(8.0, 11.0)
    wobble = np.sin(2.0 * np.pi * shake * seconds(num_samples))
    frequency = pitch * curve(num_samples, (0.0, 0.95), (0.3, 1.1), (1.0, 0.9)) * (1.0 + 0.05 * wobble)
    formants = ((750.0, 1.0), (1700.0, 0.9), (2700.0, 0.5))
    breath = filtered(shaped_noise(rng, num_samples, vowel(formants)), lambda f: low(f, 5000.0))
    sound = pitched(frequency, vowel(formants, slope=0.4)) + 0.1 * breath
    return sound * (0.65 + 0.35 * wobble) * ramps(num_samples, 0.05, 0.15)


@countable(
    ("someone", "steps", "stepping"), ("a person", "steps", "stepping"), unit=(0.14, 0.22), gap=(0.25, 0.5)
)
def footsteps(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one step: heel thud, then the sole scraping the ground."""
    heel, grit = voice.uniform(70.0, 150.0), voice.uniform(1200.0, 3500.0)
    thud = modes(num_samples, heel * np.array([1.0, 2.3]), np.array([0.025, 0.015]), np.array([1.0, 0.5]))
    scrape = shaped_noise(rng, num_samples, lambda f: bump(f, grit, 0.8))
    scrape *= curve(num_samples, (0.0, 0.7), (0.12, 0.15), (0.4, 0.4), (0.75, 0.05), (1.0, 0.0))
    return thud + voice.uniform(0.15, 0.35) * scrape * rng.uniform(0.8, 1.1)


@texture(("an audience", "applauds", "applauding"), ("a crowd", "claps", "clapping"))
def applause(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return many people clapping, each clap a short burst around 1 to 2 kHz."""
    claps = [click(rng, voice.uniform(0.012, 0.03), voice.uniform(900.0, 2300.0), 0.6) for _ in range(24)]
    times = random_times(rng, num_samples, voice.uniform(55.0, 140.0))
    near = scatter(num_samples, times, claps, rng.lognormal(0.0, 0.6, times.size).clip(0.2, 3.0))
    crowd = shaped_noise(rng, num_samples, lambda f: bump(f, 1700.0, 0.9))
    return near + 0.18 * crowd


@countable(
    ("someone", "whistles", "whistling"),
    ("a person", "whistles", "whistling"),
    unit=(0.4, 0.9),
    gap=(0.2, 0.5),
)
def whistle(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one whistled note that bends, with vibrato and a little breath."""
    pitch, bend = voice.uniform(1100.0, 2200.0), voice.uniform(0.8, 1.25)
    vibrato = 1.0 + 0.008 * np.sin(2.0 * np.pi * voice.uniform(5.0, 7.0) * seconds(num_samples))
    frequency = (
        pitch * rng.uniform(0.98, 1.02) * curve(num_samples, (0.0, 0.92), (0.2, 1.0), (1.0, bend)) * vibrato
    )
    breath = shaped_noise(rng, num_samples, lambda f: bump(f, pitch, 0.3))
    return (tone(frequency) + 0.04 * tone(2.0 * frequency) + 0.03 * breath) * ramps(num_samples, 0.04, 0.06)


@countable(
    ("a heart", "beats", "beating"), ("a human heart", "beats", "beating"), unit=(0.34, 0.38), gap=(0.4, 0.7)
)
def heartbeat(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one beat: the deep "lub" and the shorter, higher "dub"."""
    pitch = voice.uniform(48.0, 75.0) * rng.uniform(0.98, 1.02)
    size = to_samples(0.16)
    thumps = []
    for ratio, length in ((1.0, 0.035), (1.3, 0.025)):
        glide = pitch * ratio * curve(size, (0.0, 1.25), (0.3, 1.0), (1.0, 0.9))
        thumps.append(
            (tone(glide) + 0.3 * tone(2.0 * glide)) * decay(size, length) * ramps(size, 0.008, 0.03)
        )
    return scatter(num_samples, np.array([0.0, 0.19]), thumps, np.array([1.0, 0.7]))


@countable(("a baby", "cries", "crying"), ("an infant", "wails", "wailing"), unit=(0.6, 1.2), gap=(0.2, 0.45))
def crying_baby(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one cry: a loud strained "waa" with rising and falling pitch and a shaky end."""
    pitch = voice.uniform(380.0, 560.0) * rng.uniform(0.94, 1.06)
    shape = curve(num_samples, (0.0, 0.75), (0.15, 1.08), (0.5, 1.15), (0.8, 1.0), (1.0, 0.7))
    shake = 1.0 + 0.035 * np.sin(2.0 * np.pi * 11.0 * seconds(num_samples)) * curve(
        num_samples, (0.4, 0.0), (1.0, 1.0)
    )
    frequency = pitch * shape * shake * (1.0 + 0.012 * wander(rng, num_samples, 50.0))
    formants = ((1050.0, 1.0), (1700.0, 0.7), (3400.0, 0.6))
    breath = shaped_noise(rng, num_samples, vowel(formants, slope=0.0))
    sound = pitched(frequency, vowel(formants, slope=0.3)) + 0.08 * breath
    return sound * curve(num_samples, (0.0, 0.0), (0.08, 0.7), (0.4, 1.0), (0.8, 0.7), (1.0, 0.0))


@countable(
    ("someone", "sneezes", "sneezing"), ("a person", "sneezes", "sneezing"), unit=(0.5, 0.8), gap=(0.3, 0.6)
)
def sneezing(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one sneeze: a drawn-in "ah" and the explosive "choo"."""
    pitch = voice.uniform(150.0, 330.0) * rng.uniform(0.95, 1.05)
    burst = int(0.42 * num_samples)
    breath_in = shaped_noise(rng, burst, vowel(((800.0, 1.0), (1500.0, 0.7)), slope=0.3))
    inhale = pitched(pitch * curve(burst, (0.0, 1.0), (1.0, 1.5)), vowel(((800.0, 1.0), (1300.0, 0.5))))
    inhale = (0.15 * inhale + 0.25 * breath_in) * curve(burst, (0.0, 0.3), (0.85, 1.0), (1.0, 0.4))
    rest = num_samples - burst
    hiss = shaped_noise(rng, rest, lambda f: bump(f, 3200.0, 0.9)) * decay(rest, 0.09)
    voiced = pitched(pitch * 1.4 * curve(rest, (0.0, 1.2), (1.0, 0.6)), vowel(((400.0, 1.0), (1100.0, 0.4))))
    choo = 2.2 * hiss + 0.5 * voiced * curve(rest, (0.0, 0.3), (0.2, 1.0), (1.0, 0.0))
    return np.concatenate([inhale, choo * ramps(rest, 0.006, 0.08)])


@countable(
    ("someone", "coughs", "coughing"), ("a person", "coughs", "coughing"), unit=(0.25, 0.4), gap=(0.2, 0.45)
)
def coughing(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one cough: a hard noisy onset and a short rough voice."""
    pitch = voice.uniform(110.0, 230.0) * rng.uniform(0.95, 1.05)
    formants = ((650.0, 1.0), (1300.0, 0.8), (2500.0, 0.4))
    frequency = (
        pitch * curve(num_samples, (0.0, 1.3), (1.0, 0.7)) * (1.0 + 0.12 * wander(rng, num_samples, 180.0))
    )
    rough = pitched(frequency, vowel(formants, slope=0.5)) * curve(
        num_samples, (0.0, 0.0), (0.2, 0.8), (1.0, 0.0)
    )
    blast = shaped_noise(rng, num_samples, vowel(formants, slope=0.0)) * decay(num_samples, 0.05)
    return (1.5 * blast + 0.6 * rough) * ramps(num_samples, 0.004, 0.06)


@texture(("someone", "laughs", "laughing"), ("a person", "giggles", "giggling"))
def laughing(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return a voiced "ha ha ha" about five times a second, each with a breathy start."""
    pitch, rate = voice.uniform(140.0, 320.0), voice.uniform(4.3, 5.8)
    cycle = (seconds(num_samples) * rate) % 1.0
    slow = 1.0 + 0.18 * wander(rng, num_samples, 1.5)
    frequency = pitch * slow * (1.15 - 0.3 * cycle)
    formants = ((800.0, 1.0), (1300.0, 0.8), (2600.0, 0.35))
    voiced = pitched(frequency, vowel(formants, slope=0.5)) * np.sin(
        np.pi * np.clip((cycle - 0.12) / 0.6, 0.0, 1.0)
    )
    breath = shaped_noise(rng, num_samples, vowel(formants, slope=0.0)) * np.exp(-9.0 * cycle)
    return voiced + 0.25 * breath


@countable(
    ("someone", "snores", "snoring"), ("a person", "snores", "snoring"), unit=(0.8, 1.3), gap=(0.3, 0.6)
)
def snoring(voice: Generator, rng: Generator, num_samples: int) -> Signal:
    """Return one snore: a slow rattle of the throat through low resonances."""
    rattle, center = voice.uniform(24.0, 38.0), voice.uniform(220.0, 380.0)
    frequency = rattle * (1.0 + 0.15 * wander(rng, num_samples, 12.0))
    throat = pitched(frequency, lambda f: bump(f, center, 0.5) + 0.4 * bump(f, 3.2 * center, 0.5))
    air = shaped_noise(rng, num_samples, lambda f: bump(f, 900.0, 1.0) + 0.3 * low(f, 400.0))
    return (throat + 0.25 * air) * curve(num_samples, (0.0, 0.1), (0.3, 0.8), (0.7, 1.0), (1.0, 0.0))
