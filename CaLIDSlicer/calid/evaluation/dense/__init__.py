"""Dense truth (protocol 2): how near is a reconstruction to the heart *between* the slices?

A heart that is known at every position is acquired as a scanner would, one slice every D mm, each the mean over T mm;
a method makes it dense again, and is judged at all positions that were not acquired.

``acquisition`` and ``disturbance`` make the stack, ``cases`` reads hearts, ``scoring`` lets a method fill the stack,
``metrics`` judge, ``report`` and ``figures`` show, ``evaluate`` runs it all.
"""
