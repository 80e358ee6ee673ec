"""The mathematics of the method: schedules, solvers, guidance, boundary and samplers. No network lives here."""
