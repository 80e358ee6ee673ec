"""Who may import whom: every room of the code, and the rooms that it imports (``tools/house.py`` draws it).

Rooms of the ground are not listed on the right: all may import them, and they import but one another.
"""

GROUND = {
    "audiolcm.errors",
    "audiolcm.moved",
    "audiolcm.random_numbers",
    "audiolcm.storage",
    "audiolcm.text_tables",
    "audiolcm.types",
}
_ABOVE = {
    "audiolcm.distributed": "",
    "audiolcm.audio": "",
    "audiolcm.data": "",
    "audiolcm.diffusion": "",
    "audiolcm.environment": "",
    "audiolcm.weights": "",
    "audiolcm.configuration": "audiolcm.environment audiolcm.weights",
    "audiolcm.data.foley": "audiolcm.data",
    "audiolcm.data.store": "audiolcm.audio audiolcm.data",
    "audiolcm.models": "audiolcm.audio audiolcm.weights",
    "audiolcm.sound": "audiolcm.audio",
    "audiolcm.structure": "audiolcm.data audiolcm.environment audiolcm.weights",
    "audiolcm.assembly": "audiolcm.configuration audiolcm.diffusion audiolcm.models audiolcm.weights",
    "audiolcm.candidates": "audiolcm.configuration audiolcm.sound",
    "audiolcm.data.corpora": "audiolcm.audio audiolcm.data audiolcm.data.store",
    "audiolcm.data.loading": "audiolcm.audio audiolcm.data.store",
    "audiolcm.data.tunes": "audiolcm.data audiolcm.data.foley",
    "audiolcm.objectives": "audiolcm.audio audiolcm.diffusion audiolcm.distributed audiolcm.models",
    "audiolcm.published": "audiolcm.audio audiolcm.configuration audiolcm.models audiolcm.weights",
    "audiolcm.request": "audiolcm.configuration audiolcm.data",
    "audiolcm.sweeps": "audiolcm.configuration audiolcm.environment",
    "audiolcm.data.preparing": (
        "audiolcm.audio audiolcm.configuration audiolcm.data audiolcm.data.corpora "
        "audiolcm.data.store audiolcm.environment"
    ),
    "audiolcm.pipeline": (
        "audiolcm.assembly audiolcm.audio audiolcm.candidates audiolcm.configuration "
        "audiolcm.diffusion audiolcm.distributed audiolcm.environment audiolcm.models "
        "audiolcm.published audiolcm.request audiolcm.sound"
    ),
    "audiolcm.training": (
        "audiolcm.audio audiolcm.configuration audiolcm.data.loading audiolcm.distributed "
        "audiolcm.environment audiolcm.models audiolcm.objectives audiolcm.published "
        "audiolcm.weights"
    ),
    "audiolcm": "audiolcm.environment audiolcm.pipeline",
    "audiolcm.doctor": (
        "audiolcm.configuration audiolcm.distributed audiolcm.environment audiolcm.training audiolcm.weights"
    ),
    "audiolcm.pages": "audiolcm.audio audiolcm.training audiolcm.weights",
    "audiolcm.sizing": (
        "audiolcm.assembly audiolcm.audio audiolcm.configuration audiolcm.distributed "
        "audiolcm.models audiolcm.objectives audiolcm.training"
    ),
    "audiolcm.stages": (
        "audiolcm.assembly audiolcm.audio audiolcm.configuration audiolcm.data.loading "
        "audiolcm.data.preparing audiolcm.data.store audiolcm.distributed audiolcm.models "
        "audiolcm.objectives audiolcm.published audiolcm.training audiolcm.weights"
    ),
    "audiolcm.commands": (
        "audiolcm audiolcm.configuration audiolcm.data audiolcm.data.preparing "
        "audiolcm.data.store audiolcm.distributed audiolcm.doctor audiolcm.environment "
        "audiolcm.pipeline audiolcm.published audiolcm.request audiolcm.sound audiolcm.stages "
        "audiolcm.structure"
    ),
    "audiolcm.jobs": (
        "audiolcm.assembly audiolcm.audio audiolcm.configuration audiolcm.data.preparing "
        "audiolcm.data.store audiolcm.distributed audiolcm.environment audiolcm.pages "
        "audiolcm.pipeline audiolcm.request audiolcm.sizing audiolcm.stages audiolcm.training "
        "audiolcm.weights"
    ),
    "audiolcm.sweeps.slurm": "audiolcm.configuration audiolcm.environment audiolcm.jobs audiolcm.sweeps",
    "evaluation.metrics": "",
    "evaluation.record": "",
    "evaluation.inspection": "audiolcm.audio",
    "evaluation.item_names": "audiolcm.data",
    "evaluation.lists": "audiolcm.data",
    "evaluation.sound": "audiolcm.audio",
    "evaluation.tables": "evaluation.record",
    "evaluation.features": (
        "audiolcm.audio audiolcm.models audiolcm.weights evaluation.metrics evaluation.sound"
    ),
    "evaluation.marking": "audiolcm.configuration",
    "evaluation.embedded": (
        "audiolcm.audio audiolcm.configuration audiolcm.data audiolcm.data.loading "
        "audiolcm.data.preparing audiolcm.data.store audiolcm.models audiolcm.objectives "
        "audiolcm.training audiolcm.weights evaluation.features"
    ),
    "evaluation.protocol": (
        "audiolcm.audio audiolcm.configuration audiolcm.data audiolcm.data.preparing "
        "audiolcm.data.store evaluation.item_names evaluation.lists evaluation.sound"
    ),
    "evaluation": "audiolcm",
    "evaluation.efficiency": "audiolcm.pipeline evaluation.protocol evaluation.record",
    "evaluation.report": (
        "audiolcm.audio audiolcm.pages audiolcm.training evaluation.record evaluation.sound evaluation.tables"
    ),
    "evaluation.trial": (
        "audiolcm.configuration evaluation.features evaluation.protocol evaluation.record evaluation.sound"
    ),
    "evaluation.generate": (
        "audiolcm.audio audiolcm.commands audiolcm.configuration audiolcm.data "
        "audiolcm.data.preparing audiolcm.data.store audiolcm.distributed audiolcm.pipeline "
        "audiolcm.published audiolcm.request audiolcm.training"
    ),
    "evaluation.measures": (
        "evaluation.embedded evaluation.features evaluation.metrics evaluation.protocol "
        "evaluation.record evaluation.sound evaluation.trial"
    ),
    "evaluation.sanity": "evaluation.protocol evaluation.record evaluation.trial",
    "evaluation.systems": (
        "audiolcm.assembly audiolcm.audio audiolcm.candidates audiolcm.configuration "
        "audiolcm.data audiolcm.data.store audiolcm.diffusion audiolcm.distributed "
        "audiolcm.models audiolcm.pipeline audiolcm.published audiolcm.request audiolcm.training "
        "audiolcm.weights evaluation.efficiency evaluation.features evaluation.item_names "
        "evaluation.protocol"
    ),
    "evaluation.crosscheck": (
        "audiolcm.weights evaluation.features evaluation.measures evaluation.record "
        "evaluation.sound evaluation.trial"
    ),
    "evaluation.listening": (
        "audiolcm.audio audiolcm.commands audiolcm.configuration audiolcm.data "
        "audiolcm.environment audiolcm.pages evaluation.protocol evaluation.record "
        "evaluation.systems evaluation.tables"
    ),
    "evaluation.evaluation": (
        "audiolcm.configuration audiolcm.weights evaluation.crosscheck evaluation.efficiency "
        "evaluation.embedded evaluation.features evaluation.inspection evaluation.marking "
        "evaluation.protocol evaluation.record evaluation.sanity evaluation.sound "
        "evaluation.systems evaluation.trial"
    ),
    "evaluation.run": (
        "audiolcm.configuration audiolcm.distributed audiolcm.jobs audiolcm.training "
        "evaluation.efficiency evaluation.evaluation evaluation.inspection evaluation.report "
        "evaluation.tables"
    ),
    "experiments": "",
    "experiments.records": "audiolcm.sweeps evaluation.record",
    "experiments.judging": "evaluation.metrics evaluation.record evaluation.tables experiments.records",
    "experiments.diagnosing": (
        "audiolcm.assembly audiolcm.configuration audiolcm.data.loading audiolcm.data.preparing "
        "audiolcm.data.store audiolcm.diffusion audiolcm.distributed audiolcm.environment "
        "audiolcm.models audiolcm.published audiolcm.stages audiolcm.training audiolcm.weights "
        "evaluation.tables"
    ),
    "experiments.items": (
        "audiolcm.configuration audiolcm.sweeps audiolcm.training experiments.judging experiments.records"
    ),
    "experiments.__main__": "audiolcm.commands audiolcm.environment audiolcm.sweeps",
    "experiments.running": (
        "audiolcm.configuration audiolcm.environment audiolcm.jobs audiolcm.sweeps "
        "audiolcm.sweeps.slurm audiolcm.training evaluation.record experiments.items "
        "experiments.records"
    ),
    "experiments.rendering": (
        "audiolcm.audio audiolcm.configuration audiolcm.environment audiolcm.pages "
        "audiolcm.pipeline audiolcm.published audiolcm.request audiolcm.sweeps audiolcm.training "
        "audiolcm.weights evaluation.tables experiments.items experiments.judging "
        "experiments.records experiments.running"
    ),
}
MAY_IMPORT = {room: set(words.split()) for room, words in _ABOVE.items()}
