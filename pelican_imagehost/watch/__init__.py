"""The drafting loop: each save shows in the browser at once.

    files ──▶ events ──▶ watch ──▶ builder ──▶ output ──▶ preview ──▶ browser
             (hints)    (decides)  (a process)  (whole files)

`watch` lives in the main process, with threads for file events and HTTP and without
Pelican. A builder is a process of its own with one thread: it holds a built site in
memory, writes the document just saved, and forks a successor that builds the whole site
behind it. The law: when that is done, the output is what a clean build would make.
"""
