"""What can go wrong in an experiment, beyond what the wings raise themselves."""


class ExperimentError(Exception):
    """Base of the errors that a command raises; the message says what to do."""


class RunFolderError(ExperimentError):
    """A folder is not the run, or not as far along, as a command needs it to be."""


class JobError(ExperimentError):
    """A job failed in a worker process; the message names the job and the original error."""
