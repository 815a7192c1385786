"""
Parses the command line, runs its command, and turns what goes wrong into an exit code and one line on standard error.

Exit codes: 0 done, 1 failed (the line says why and what to do), 2 wrong usage, 3 done in part, 141 if the reader of
the output has closed it. `app.main` opens the window, so nothing here needs Qt. Commands are imported when they run:
neither the window nor the sandbox should wait for them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from app.commands.options import Options
from app.config.settings import Settings, load
from app.market.errors import CryptopipeError, SettingsError, UsageError
from app.observability.logs import start_logging

DONE, FAILED, WRONG_USAGE, DONE_IN_PART = 0, 1, 2, 3
READER_GONE = 141  # 128 and SIGPIPE, as a shell has it
_WINDOW_FLAGS = {"--demo", "--quit-after-first-paint"}
_COMPLETE = "_CRYPTOPIPE_COMPLETE"  # the shell's script sets it, and asks for what can follow

logger = logging.getLogger(__name__)


def parse(arguments: Sequence[str]) -> Options:
    """
    Return what was typed.

    Raises:
        UsageError: If it cannot be parsed.
        SystemExit: After --help and --version, with the exit code 0.
    """
    if _WINDOW_FLAGS.issuperset(arguments):  # a start from the desktop: the window need not wait for the parser
        demo, quits = (flag in arguments for flag in ("--demo", "--quit-after-first-paint"))
        return Options(command=None, prepare=None, settings={}, demo=demo, quit_after_first_paint=quits)
    from app.cli.commands import cryptopipe
    from app.cli.parsing import parsed

    return parsed(cryptopipe, arguments)


def settings_from(options: Options) -> Settings:
    """Return the settings in force, these options included."""
    return load(options.settings)


def run_command(options: Options) -> int:
    """Run the headless command that ``options`` name and return the exit code."""
    assert options.prepare is not None
    settings = Settings() if options.command in _WITHOUT_SETTINGS else settings_from(options)
    run = options.prepare(settings, options)  # before the log opens: a refused command makes no files
    if options.command not in _WITHOUT_LOG:
        name = "sandbox" if options.command == "sandbox" else "cryptopipe"
        start_logging(settings.data_dir, settings.log_level, settings.log_format, name=name)
        if name != "sandbox":
            warn_of_password(settings)
    return run()


# They read and write no data: where the data directory cannot be written, they must still tell which one it is.
_WITHOUT_LOG = {"settings list", "settings get", "settings set", "completion"}
# These work while a setting is wrong: one of them corrects it.
_WITHOUT_SETTINGS = {"settings set", "completion"}


def warn_of_password(settings: Settings) -> None:
    """Log a warning if others can read the database's password."""
    if not settings.database_url:
        return
    from app.runtime.open_database import password_warning

    if warning := password_warning(settings):
        logger.warning(warning)


def guarded(work: Callable[[Options], int], arguments: Sequence[str]) -> int:
    """Call ``work(options)``; turn what it raises into an exit code and one line on standard error."""
    root = logging.getLogger()
    if not root.handlers:  # or Python prints warnings to standard error until the log is open
        root.addHandler(logging.NullHandler())
    try:
        if _COMPLETE in os.environ:
            from app.cli.commands import cryptopipe
            from app.cli.completion import complete

            return complete(cryptopipe, os.environ[_COMPLETE])
        code = int(work(parse(arguments)))
        sys.stdout.flush()  # here and not when Python ends: a closed pipe shows now, of short output, too
        return code
    except BrokenPipeError as error:
        return _reader_gone(error)
    except (UsageError, SettingsError) as error:
        return _say(error, WRONG_USAGE)
    except CryptopipeError as error:
        logger.error("failed: %s", error)  # no traceback: it is no fault of the program
        logger.debug("failed so:", exc_info=error)
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:  # because no traceback may reach a user; the log file gets it
        logger.critical("uncaught", exc_info=error)
        return _say(f"something went wrong inside ({type(error).__name__}); the log file tells more.", FAILED)


def _reader_gone(error: BrokenPipeError) -> int:
    """
    Return the code of a program that SIGPIPE ended, as other tools end when what reads their output has closed it.

    Standard output is replaced, because Python would complain of the same when it flushes that at its end.
    """
    logger.debug("what read the output closed it", exc_info=error)
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return READER_GONE


def _say(sentence: object, code: int) -> int:
    from app.commands.styling import print_styled

    print_styled(("cryptopipe:", "bold red"), f" {sentence}", to=sys.stderr)
    return code
