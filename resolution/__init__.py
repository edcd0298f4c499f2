"""Identity resolution: which customers are the same person.

The way of the data, one stage a line:

    identifiers  found in a message or a row            matching/normalise/extract.py
    normalise    raw text to canonical text             matching/normalise/
    candidates   who is worth comparing                 matching/blocking.py, services/keys.py
    score        log2 odds and a reason per field       matching/kernel.py
    decide       link, create or ask a person           matching/decide.py, matching/clusters.py
    queue        what the machine may not settle        services/conflicts.py, services/queue.py
    merge        carried out as planned, taken back     services/merge.py, services/unmerge.py
    audit        one chained row a change               services/audit.py
    events       what other systems are told            services/events.py
"""
