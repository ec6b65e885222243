"""Models that run elsewhere: one lane per provider, over the providers' own kits.

A hosted model is a card whose source names a provider; its jobs wait, are told of, sealed and
filed like all others, and take no device. The lane runs inside the host, not in a child: a call is
waiting and nothing else, the host has the network already, and the key then never leaves it. What
comes back is a stranger's file and is opened in the decode child. The kits are imported when the
first call is made, so a studio without hosted models pays nothing for this.
"""
