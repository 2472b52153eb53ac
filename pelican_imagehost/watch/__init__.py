"""Drafting: the browser shows each save at once.

    files ──▶ events ──▶ loop ──▶ builder ──▶ output ──▶ preview ──▶ browser
             (hints)   (decides) (a process) (whole files)

The loop runs in the main process, with threads for file events and HTTP and without
Pelican. A builder is a separate process with one thread: it keeps a built site in memory,
writes the document just saved, and forks a successor that builds the whole site in the
background. When that is done, the output is the same as after a clean build.
"""
