"""The triangular mel filters of Slaney's Auditory Toolbox (1998), bit for bit those of librosa.

librosa computes them too, behind two seconds of imports that the first sound would wait for.
"""

import numpy as np

_LINEAR_HZ = 1000.0
"""Up to here the scale is linear, 200/3 Hz a mel; above it is logarithmic, 27 mels from 1000 to 6400 Hz."""
_HZ_A_MEL = 200.0 / 3
_LOG_STEP = np.log(6.4) / 27.0


def slaney_filters(sample_rate: int, n_fft: int, num_mels: int, f_min: float, f_max: float) -> np.ndarray:
    """Return (num_mels, n_fft / 2 + 1) in float32: triangles over the bins of an FFT, each of area 1 in Hz."""
    edges = _to_hz(np.linspace(_to_mel(f_min), _to_mel(f_max), num_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    ramps, widths = np.subtract.outer(edges, bins), np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _to_mel(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz / _HZ_A_MEL
    return _LINEAR_HZ / _HZ_A_MEL + np.log(hz / _LINEAR_HZ) / _LOG_STEP


def _to_hz(mels: np.ndarray) -> np.ndarray:
    above = mels - _LINEAR_HZ / _HZ_A_MEL
    return np.where(above < 0, mels * _HZ_A_MEL, _LINEAR_HZ * np.exp(_LOG_STEP * np.maximum(above, 0)))
