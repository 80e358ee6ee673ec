"""From words that people type to objects: groups and overrides, what may stand where, plugins, building."""
