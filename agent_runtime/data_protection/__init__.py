"""Personal data in prompts and answers: found by Presidio in this process, then masked or blocked.

    protection = build_protection(ProtectionSettings(provider="presidio", action="mask"))
    prompt = await asyncio.to_thread(protection.protect_input, text)
    stream = protection.output_stream()
    sent = await asyncio.to_thread(stream.feed, piece)      # what may be sent now
    rest = await asyncio.to_thread(stream.close)            # the rest

Everything here is work for the CPU, milliseconds of it: call it in a thread, never on the loop. Nothing of Presidio is
imported before `build_protection` is asked for it.
"""

from agent_runtime.data_protection.faults import BlockedError, FilterFailedError, InputBlockedError, OutputBlockedError
from agent_runtime.data_protection.protection import OutputStream, Protection, build_protection
from agent_runtime.data_protection.settings import ProtectionSettings

__all__ = [
    "BlockedError",
    "FilterFailedError",
    "InputBlockedError",
    "OutputBlockedError",
    "OutputStream",
    "Protection",
    "ProtectionSettings",
    "build_protection",
]
