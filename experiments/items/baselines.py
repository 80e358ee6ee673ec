"""What a reader must know of the published systems in the tables; docs/evaluation.md has all of it."""

RELEASED = (
    "At the paper's scale AudioLCM and its teacher are those of the released checkpoint, whose backbone has LayerNorm, "
    "learned positions and GEGLU: none of the paper's RMSNorm, RoPE and SwiGLU."
)
CANDIDATES = "NFE and RTF are of all of them, where the paper prints the steps of one"
AUDIOLDM = (
    "as its authors run it, DDIM with eta 1, guidance scale 2.5 and the best of 3 sounds by CLAP, which is that of "
    f"laion/clap-htsat-unfused; {CANDIDATES}"
)
AUDIOLDM2 = (
    "the steps of the paper; all else as its authors run it, DDIM with eta 1, guidance scale 3.5 and the best of 3 "
    f"sounds by CLAP; {CANDIDATES}"
)
MUSICLDM = (
    "as its authors' script runs it, DDIM with eta 1, guidance scale 2 and the best of 5 sounds by CLAP; "
    + CANDIDATES
)
TANGO = "as its authors run it, ancestral steps and guidance scale 3"
MAKE_AN_AUDIO2 = "guidance scale 4, as in the commands of its README, and 100 steps"
MUSICGEN = "as its authors run it, the likeliest 250 tokens, guidance scale 3 and a peak of -1 dB"
RIFFUSION = (
    "30 steps and guidance scale 7 as on its text-to-audio page; not as there: pictures as wide as the sound is long "
    "instead of 5.12 s, and no compressor"
)
