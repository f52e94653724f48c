/*
 * The lease of Ha for three nodes, written from the rules of the protocol and not from its C# code.
 * README.md in this folder states what is and what is not covered; check.sh runs it.
 *
 * Time. A number of ticks; every timer counts down, so no absolute time is in the state and the
 * clock may run for ever. Any number of events fits between two ticks.
 *
 * Network. Whatever a node may send, it has sent, at every moment it was allowed to; each of these
 * requests may be taken by its voter at any later moment, in any order, any number of times or never.
 * An acknowledgement is in flight from the moment it is given until it is worth nothing. So delay,
 * loss, duplication and reordering need no buffer, and nothing bounds the messages in flight.
 * The sequence numbers of the protocol, which would forbid most of this, are left out.
 *
 * Choice. What a rule leaves open (when to campaign, to renew, to give up, which epoch above the
 * allowed minimum) is left open here: anything permitted may happen at any moment.
 *
 * -DM_... breaks one rule on purpose.
 */
#ifndef T
#define T  3            /* lease, ticks */
#endif
#ifndef TC
#define TC 2            /* candidacy lease, ticks */
#endif
#ifndef Q
#define Q  (T + TC)     /* quarantine of a new instance */
#endif
#ifndef WALL
#define WALL T          /* assumption: wall clocks agree within Q - TC */
#endif
#ifndef DRIFT
#define DRIFT 1         /* ticks that node 0's clock may miss in any T ticks, and what a holder takes off */
#endif
#ifndef EMAX
#define EMAX 2          /* epochs 1..EMAX exist; 2, 3 or 4 */
#endif
#ifndef CRASHES
#define CRASHES 1       /* each node at most once */
#endif
#ifndef CANDIDATES
#define CANDIDATES 2    /* nodes 0.. that campaign; the others only vote */
#endif
#ifndef CANCELS
#define CANCELS 1       /* 1: a candidate that gives up cancels; 0: it lets its votes run out */
#endif
#ifndef BUMPS
#define BUMPS 1         /* 1: a leader may take a higher epoch */
#endif

#ifdef M_NO_DRIFT
#define CREDIT(d) (d)
#else
#define CREDIT(d) ((d) - DRIFT)
#endif

#if defined(M_RESURRECT_RELEASED) || defined(M_RESURRECT_CANCELLED) || defined(M_NO_GENERATION)
#define KEEP_NET        /* acknowledgements under way survive the end of the term they belong to */
#endif
#if defined(M_RESURRECT_RELEASED) || defined(M_RESURRECT_CANCELLED)
#define KEEP_EPOCH
#endif

#define N    3
#define NONE 3
#define FOLLOWER  0
#define CANDIDATE 1
#define LEADER    2

/* ---- the voter in each node ---- */
byte quarantine[N];     /* ticks left */
byte holder[N] = NONE;
bool oldInc[N];         /* the holder is an earlier incarnation of its node */
byte granted[N];        /* epoch of the grant */
byte until[N];          /* ticks left; 0: the vote is free */
bool fresh[N];          /* granted on a free vote and not renewed: may be cancelled */
byte floor[N];          /* highest epoch granted */
byte prevFloor[N];      /* the floor before a fresh grant */

/* ---- the candidate or leader in each node ---- */
byte role[N];
byte epoch[N];
byte candidacy[N];      /* ticks for which a vote for this candidacy counts */
byte led[N];            /* ticks since it won, up to CREDIT(T) - 1 */
byte ack[N * N];        /* ack[n*N+v]: ticks for which n counts on v */
byte net[N * N];        /* acknowledgements in flight: bit w-1 stands for one worth w ticks */
#if BUMPS
byte pending[N];        /* epoch of a bump under way, or 0 */
byte bumpAge[N];
byte bumpAck[N];        /* voters whose acknowledgement of it has arrived, one bit each */
byte bumpNet[N * N];
#define PENDING(n) pending[n]
#else
#define PENDING(n) 0
#endif

/* ---- all that this incarnation has ever said, one bit per epoch ---- */
byte proposed[N];
byte hasLed[N];
byte released[N];       /* "every epoch up to this one is given up" */
byte cancelled[N];
byte oldProposed[N];    /* the same, said by the incarnation before the crash */
byte oldLed[N];
byte oldReleased[N];
byte oldCancelled[N];

/* ---- world ---- */
bool crashed[N];
byte crashes;
byte slow;              /* ticks until node 0's clock may miss one again */
byte top;               /* highest epoch anyone has proposed */
byte wallFloor[N];      /* ... before the crash of n */
byte wallTimer[N];      /* ticks until every wall clock is past that */

/* ---- what the invariants remember ---- */
byte maxLed;            /* highest epoch of any leadership so far */
bool leading[N];        /* had a valid lease after the last event */

/* scratch: set before use within one event */
hidden byte i, highest, ok;
hidden byte asks, asker, asked, inc, asksFor, acquire, dur;     /* a request that a voter takes */
hidden byte counts, voter, worth, forBump;                      /* an acknowledgement that arrives */
hidden byte at_most_one_valid_lease, new_epoch_is_higher, acknowledgement_is_covered, grants_are_disjoint;

#define BIT(x) (1 << (x))
#define HAS(set,x) (((set) >> (x)) & 1)
#define MAX(x,y) ((x) > (y) -> (x) : (y))
#define MIN(x,y) ((x) < (y) -> (x) : (y))
#define ACKED(n,v) ack[(n) * N + (v)]
#define NET(n,v) net[(n) * N + (v)]
#define BUMPNET(n,v) bumpNet[(n) * N + (v)]

/* The second largest of three: the M-th largest acknowledgement, M being two. */
#define LEASE(n) MAX(MIN(ACKED(n, 0), ACKED(n, 1)), MIN(MAX(ACKED(n, 0), ACKED(n, 1)), ACKED(n, 2)))
#ifdef M_CACHED_FLAG
#define VALID(n) (role[n] == LEADER)
#else
#define VALID(n) (role[n] == LEADER && LEASE(n) > 0)
#endif

/* ---------------------------------------------------------------------------------------------
 * Invariants
 */

/* What n counts on is covered by v's promise, or by the quarantine of v's next incarnation. */
#define COVERED(n,v) (role[n] == FOLLOWER || ACKED(n, v) <= quarantine[v] || \
    (holder[v] == n && !oldInc[v] && ACKED(n, v) <= until[v]))

/* -DONLY_LEASE and -DONLY_EPOCH leave one of the two claims, to see which of them a mutant breaks. */
#ifdef ONLY_EPOCH
#define CLAIM_LEASE
#else
#define CLAIM_LEASE assert(at_most_one_valid_lease)
#endif
#ifdef ONLY_LEASE
#define CLAIM_EPOCH
#else
#define CLAIM_EPOCH assert(new_epoch_is_higher)
#endif

inline check() {
    at_most_one_valid_lease = !(VALID(0) && VALID(1)) && !(VALID(0) && VALID(2)) && !(VALID(1) && VALID(2));
    CLAIM_LEASE;
#ifdef COVER
    acknowledgement_is_covered = COVERED(0, 0) && COVERED(0, 1) && COVERED(0, 2) && COVERED(1, 0) &&
        COVERED(1, 1) && COVERED(1, 2) && COVERED(2, 0) && COVERED(2, 1) && COVERED(2, 2);
    assert(acknowledgement_is_covered)
#endif
}

/* A lease that becomes valid is a new leadership, and needs an epoch above every earlier one. */
inline watch(n) {
    if
    :: VALID(n) && !leading[n] ->
        new_epoch_is_higher = epoch[n] > maxLed;
        CLAIM_EPOCH;
        maxLed = MAX(maxLed, epoch[n]); leading[n] = 1
    :: !VALID(n) -> leading[n] = 0
    :: else
    fi
}

/* A voter never promises itself to s while another node still counts on it. */
#define COUNTS(n,v) (role[n] != FOLLOWER && ACKED(n, v) > 0)
#ifdef COVER
#define disjoint(v,s) \
    grants_are_disjoint = !((s != 0 && COUNTS(0, v)) || (s != 1 && COUNTS(1, v)) || (s != 2 && COUNTS(2, v))); \
    assert(grants_are_disjoint)
#else
#define disjoint(v,s)
#endif

/* ---------------------------------------------------------------------------------------------
 * Voter
 */
inline freeVote(v) {
    until[v] = 0; holder[v] = NONE; oldInc[v] = 0; granted[v] = 0; fresh[v] = 0; prevFloor[v] = 0
}

#define HELD_BY(v,s,o) (until[v] > 0 && holder[v] == s && oldInc[v] == o)
#ifdef M_NO_FLOOR
#define ABOVE_FLOOR(v,e,acquire) (acquire || e >= floor[v])
#else
#define ABOVE_FLOOR(v,e,acquire) (e > floor[v] || (!acquire && e == floor[v]))
#endif
#ifdef M_STEAL
#define STEALS(v,s,e,acquire) (until[v] > 0 && holder[v] > s && acquire && e > floor[v])
#else
#define STEALS(v,s,e,acquire) 0
#endif

/* `asked` is asked by `asker` (inc: by its earlier incarnation) for `dur` ticks of an epoch. Sets ok. */
inline vote() {
    ok = 0;
    if
    :: quarantine[asked] > 0                        /* no grant, not even to itself */
    :: quarantine[asked] == 0 && HELD_BY(asked, asker, inc) && asksFor >= granted[asked] ->
        if
        :: asksFor > granted[asked] || !acquire -> fresh[asked] = 0; prevFloor[asked] = 0
        :: else
        fi;
        granted[asked] = asksFor;
        floor[asked] = MAX(floor[asked], asksFor);
        until[asked] = MAX(until[asked], dur);
        ok = 1
    :: quarantine[asked] == 0 && (until[asked] == 0 || STEALS(asked, asker, asksFor, acquire)) &&
       ABOVE_FLOOR(asked, asksFor, acquire) ->
        disjoint(asked, asker);
        holder[asked] = asker; oldInc[asked] = inc; granted[asked] = asksFor; until[asked] = dur;
        fresh[asked] = acquire;
        prevFloor[asked] = (acquire -> floor[asked] : 0);
        floor[asked] = MAX(floor[asked], asksFor);
        ok = 1
    :: else                                         /* held by another, or the epoch is too low */
    fi
}

/* Fills in a request. */
inline ask(s, o, v, e, a, t) {
    asks = 1; asker = s; inc = o; asked = v; asksFor = e; acquire = a; dur = t
}

#ifdef M_RELEASE_NO_HOLDER
#define FREES(v,s,o,e) (until[v] > 0 && granted[v] <= e)
#else
#ifdef M_STALE_RELEASE
#define FREES(v,s,o,e) HELD_BY(v, s, o)
#else
#define FREES(v,s,o,e) (HELD_BY(v, s, o) && granted[v] <= e)
#endif
#endif

#ifdef M_CANCEL_NO_HOLDER
#define CANCELS_IT(v,s,o,e) (until[v] > 0 && granted[v] == e && fresh[v])
#else
#define CANCELS_IT(v,s,o,e) (HELD_BY(v, s, o) && granted[v] == e && fresh[v])
#endif

inline voteReleased(v, s, o, e) {
    if
    :: FREES(v, s, o, e) -> freeVote(v)
    :: else
    fi
}

inline voteCancelled(v, s, o, e) {
    if
    :: CANCELS_IT(v, s, o, e) -> floor[v] = prevFloor[v]; freeVote(v)
    :: else
    fi
}

/* ---------------------------------------------------------------------------------------------
 * Candidate and leader
 */
inline clearBump(n) {
#if BUMPS
    pending[n] = 0; bumpAge[n] = 0; bumpAck[n] = 0;
    BUMPNET(n, 0) = 0; BUMPNET(n, 1) = 0; BUMPNET(n, 2) = 0
#else
    skip
#endif
}

/* Nothing that was promised, and nothing that is still under way, counts any more. */
inline invalidate(n) {
#ifndef M_STALE_ACKS
    ACKED(n, 0) = 0; ACKED(n, 1) = 0; ACKED(n, 2) = 0;
#endif
#ifndef KEEP_NET
    NET(n, 0) = 0; NET(n, 1) = 0; NET(n, 2) = 0;
#endif
    candidacy[n] = 0; led[n] = 0;
    clearBump(n)
}

inline forgetTerm(n) {
#ifndef KEEP_EPOCH
    epoch[n] = 0;
#endif
    watch(n)
}

#ifdef M_MEMORY_EPOCH
#define PAST_WALL(e) 1
#else
#define PAST_WALL_OF(n,e) (wallTimer[n] > 0 || (e) > wallFloor[n])
#define PAST_WALL(e) (PAST_WALL_OF(0, e) && PAST_WALL_OF(1, e) && PAST_WALL_OF(2, e))
#endif
/* Above all that n proposed or granted, and above what its wall clock is past. How far above is
   open: it may have heard of any epoch, and its clock may be ahead. */
#define NEW_EPOCH(n,e) ((proposed[n] >> (e)) == 0 && (e) > floor[n] && PAST_WALL(e))

inline propose(n, e) { proposed[n] = proposed[n] | BIT(e); top = MAX(top, e) }

#if defined(M_SELF_BYPASS) || defined(M_SELF_IN_QUARANTINE)
#define OWN_VOTE_COUNTS_ANYHOW 1
#else
#define OWN_VOTE_COUNTS_ANYHOW 0
#endif
#if defined(M_SELF_BYPASS)
#define OWN_VOTE_FREE(n) 1
#else
#if defined(M_SELF_IN_QUARANTINE)
#define OWN_VOTE_FREE(n) (until[n] == 0)
#else
#define OWN_VOTE_FREE(n) (until[n] == 0 && quarantine[n] == 0)
#endif
#endif

inline campaign(n, e) {
    printf("node %d campaigns with epoch %d\n", n, e);
    invalidate(n);
    role[n] = CANDIDATE; epoch[n] = e; propose(n, e);
    candidacy[n] = CREDIT(TC);
    ask(n, 0, n, e, 1, TC)
}

/* A promise by v that n may count on for w ticks. */
#ifdef M_RESURRECT_LAPSED
#define MAY_EXTEND(n) 1
#else
#ifdef M_SAME_EPOCH
#define MAY_EXTEND(n) 1
#else
#define MAY_EXTEND(n) (LEASE(n) > 0)
#endif
#endif

/* `me` counts a promise of `voter`. */
inline credit() {
    if
    :: role[me] == CANDIDATE ->
        ACKED(me, voter) = MAX(ACKED(me, voter), worth);
        if
        :: LEASE(me) > 0 ->
            role[me] = LEADER; hasLed[me] = hasLed[me] | BIT(epoch[me]);
            printf("node %d leads with epoch %d\n", me, epoch[me])
        :: else
        fi
    :: role[me] == LEADER && MAY_EXTEND(me) -> ACKED(me, voter) = MAX(ACKED(me, voter), worth)
#ifdef M_RESURRECT_RELEASED
    :: role[me] == FOLLOWER && HAS(released[me], epoch[me]) ->
        ACKED(me, voter) = MAX(ACKED(me, voter), worth); role[me] = LEADER
#endif
#ifdef M_RESURRECT_CANCELLED
    :: role[me] == FOLLOWER && HAS(cancelled[me], epoch[me]) ->
        ACKED(me, voter) = MAX(ACKED(me, voter), worth);
        if
        :: LEASE(me) > 0 -> role[me] = LEADER
        :: else
        fi
#endif
    :: else
    fi;
    watch(me)
#if BUMPS
    ;
    /* The switch to a higher epoch needs a majority at that epoch. */
    if
    :: forBump ->
        bumpAck[me] = bumpAck[me] | BIT(voter);
        if
        :: bumpAck[me] == 3 || bumpAck[me] >= 5 ->
            printf("node %d goes on with epoch %d\n", me, pending[me]);
            new_epoch_is_higher = pending[me] > maxLed;
            CLAIM_EPOCH;
            maxLed = MAX(maxLed, pending[me]);
            epoch[me] = pending[me]; hasLed[me] = hasLed[me] | BIT(epoch[me]);
            NET(me, 0) = NET(me, 0) | BUMPNET(me, 0);
            NET(me, 1) = NET(me, 1) | BUMPNET(me, 1);
            NET(me, 2) = NET(me, 2) | BUMPNET(me, 2);
            led[me] = 0;
            clearBump(me)
        :: else
        fi
    :: else
    fi
#endif
}

#if BUMPS
inline bump(n, e) {
    printf("node %d proposes to go on with epoch %d\n", n, e);
    pending[n] = e; bumpAck[n] = 0; bumpAge[n] = 0; propose(n, e);
    ask(n, 0, n, e, 1, T)
}
#endif

/* By choice, or because the lease has lapsed. Names the highest epoch ever proposed. */
inline stop(n) {
    printf("node %d stops leading\n", n);
    highest = MAX(epoch[n], PENDING(n));
    released[n] = released[n] | BIT(highest);
    role[n] = FOLLOWER;
    invalidate(n);
    voteReleased(n, n, 0, highest);
    forgetTerm(n)
}

inline giveUp(n) {
    printf("node %d gives its candidacy up\n", n);
    role[n] = FOLLOWER;
    invalidate(n);
#if CANCELS
    cancelled[n] = cancelled[n] | BIT(epoch[n]);
    voteCancelled(n, n, 0, epoch[n]);
#endif
    forgetTerm(n)
}

/* Everything in memory is gone and a new incarnation runs at once. (One that starts later is one
   that does nothing for a while.) What the old one said may still arrive; its acknowledgements to
   others too, but none that was meant for it. */
inline crash(n) {
    printf("node %d crashes and starts again\n", n);
    crashes++; crashed[n] = 1; wallFloor[n] = top; wallTimer[n] = WALL;
    oldProposed[n] = proposed[n]; oldLed[n] = hasLed[n];
    oldReleased[n] = released[n]; oldCancelled[n] = cancelled[n];
    proposed[n] = 0; hasLed[n] = 0; released[n] = 0; cancelled[n] = 0;
    role[n] = FOLLOWER; epoch[n] = 0; candidacy[n] = 0; led[n] = 0; leading[n] = 0;
    ACKED(n, 0) = 0; ACKED(n, 1) = 0; ACKED(n, 2) = 0;
    NET(n, 0) = 0; NET(n, 1) = 0; NET(n, 2) = 0;
    clearBump(n);
    freeVote(n);
    floor[n] = 0;
    i = 0;
    do
    :: i < N ->
        if
        :: holder[i] == n -> oldInc[i] = 1
        :: else
        fi;
        i++
    :: else -> break
    od;
#ifdef M_NO_QUARANTINE
    quarantine[n] = 0
#else
    quarantine[n] = Q
#endif
}

/* ---------------------------------------------------------------------------------------------
 * Messages
 */
/* A vote for a candidacy counts until the candidacy ends, whenever it was asked for. */
#ifdef M_LONG_CANDIDACY
#define CANDIDACY(n) CREDIT(TC)
#define MAY_ASK(n) (role[n] == CANDIDATE)
#else
#define CANDIDACY(n) candidacy[n]
#define MAY_ASK(n) (candidacy[n] > 0)
#endif

#ifdef M_FROM_RECEIVE
#define WORTH(full,age) (full)
#else
#define WORTH(full,age) ((full) - (age))
#endif

/* ---------------------------------------------------------------------------------------------
 * Time
 */
#define DEC(x) if :: x > 0 -> x-- :: else fi
#define AGE(x) if :: x < CREDIT(T) - 1 -> x++ :: else fi

inline pass(n) {
    DEC(quarantine[n]);
    if
    :: until[n] == 1 -> freeVote(n)
    :: until[n] > 1 -> until[n]--
    :: else
    fi;
    DEC(ACKED(n, 0)); DEC(ACKED(n, 1)); DEC(ACKED(n, 2));
#ifndef M_FROM_RECEIVE
    NET(n, 0) = NET(n, 0) >> 1; NET(n, 1) = NET(n, 1) >> 1; NET(n, 2) = NET(n, 2) >> 1;
#endif
    DEC(candidacy[n]);
    if
    :: role[n] == LEADER -> AGE(led[n])
    :: else
    fi
#if BUMPS
    ;
#ifndef M_FROM_RECEIVE
    BUMPNET(n, 0) = BUMPNET(n, 0) >> 1; BUMPNET(n, 1) = BUMPNET(n, 1) >> 1; BUMPNET(n, 2) = BUMPNET(n, 2) >> 1;
#endif
    if
    :: pending[n] > 0 -> AGE(bumpAge[n])
    :: else
    fi
#endif
}

/* With `missed`, node 0's clock does not notice the tick. */
inline tick(missed) {
    if
    :: missed -> printf("-- tick, not noticed by the clock of node 0 --\n")
    :: !missed -> printf("-- tick --\n"); pass(0)
    fi;
    pass(1); pass(2);
    DEC(wallTimer[0]); DEC(wallTimer[1]); DEC(wallTimer[2]);
#ifndef M_CLOCK_STOPS
    if
    :: missed -> slow = T - 1
    :: else -> DEC(slow)
    fi;
#endif
    watch(0); watch(1); watch(2)
}

/* ---------------------------------------------------------------------------------------------
 * What may happen
 */
#define CAN_CRASH(n)        (crashes < CRASHES && !crashed[n])
#define CAN_STOP(n)         (role[n] == LEADER)
#define CAN_GIVE_UP(n)      (role[n] == CANDIDATE)
#define CAN_CAMPAIGN(n,e)   (role[n] == FOLLOWER && OWN_VOTE_FREE(n) && NEW_EPOCH(n, e))
#define CAN_RENEW(n)        (VALID(n))
#ifdef M_SAME_EPOCH
#define SENDS_RENEW(n)      (role[n] == LEADER)
#else
#define SENDS_RENEW(n)      (VALID(n))
#endif
#define CAN_BUMP(n,e)       (VALID(n) && PENDING(n) == 0 && NEW_EPOCH(n, e))

#define CAN_TAKE_ACQUIRE(n,v) (MAY_ASK(n) && !HAS(NET(n, v), CANDIDACY(n) - 1))
/* A renewal of this age was sent, and its acknowledgement is not in flight already. */
#define CAN_TAKE_RENEW(n,v,age) (SENDS_RENEW(n) && (age) <= led[n] && (age) < CREDIT(T) && \
    !(HAS(NET(n, v), CREDIT(T) - (age) - 1) && until[v] == T))
#define CAN_TAKE_BUMP(n,v,age)  (VALID(n) && PENDING(n) > 0 && (age) <= bumpAge[n] && (age) < CREDIT(T) && \
    !(HAS(BUMPNET(n, v), CREDIT(T) - (age) - 1) && until[v] == T))

/* One branch for each node, or pair of a node and something, for which the event may happen. */
#define WHO(can,n)        :: can(n) -> me = n
#define WITH_PEER(can,n)  :: can(n, (n + 1) % N) -> me = n; x = (n + 1) % N \
                          :: can(n, (n + 2) % N) -> me = n; x = (n + 2) % N
#define AGED(can,n,a)     :: can(n, (n + 1) % N, a) -> me = n; x = (n + 1) % N; y = a \
                          :: can(n, (n + 2) % N, a) -> me = n; x = (n + 2) % N; y = a
#define WITH_AGE(can,n)   AGED(can, n, 0) AGED(can, n, 1) AGED(can, n, 2)
#define WITH_EPOCH(can,n) :: can(n, 1) -> me = n; x = 1 :: can(n, 2) -> me = n; x = 2 THIRD_EPOCH(can, n)
#if EMAX == 2
#define THIRD_EPOCH(can,n)
#else
#if EMAX == 3
#define THIRD_EPOCH(can,n) :: can(n, 3) -> me = n; x = 3
#else
#define THIRD_EPOCH(can,n) :: can(n, 3) -> me = n; x = 3 :: can(n, 4) -> me = n; x = 4
#endif
#endif
#if CANDIDATES == 2
#define ANY(how,can) if how(can, 0) how(can, 1) fi
#else
#define ANY(how,can) if how(can, 0) how(can, 1) how(can, 2) fi
#endif

/* What was said once may be heard by x at any time: `said` is a set of epochs. The guard also asks
   whether hearing it would change anything. */
#define HEAR(said,effect,n,o,e) \
    :: HAS(said[n], e) && effect((n + 1) % N, n, o, e) -> me = n; x = (n + 1) % N; y = e \
    :: HAS(said[n], e) && effect((n + 2) % N, n, o, e) -> me = n; x = (n + 2) % N; y = e
#if EMAX == 2
#define HEAR_ANY(said,effect,n,o) HEAR(said, effect, n, o, 1) HEAR(said, effect, n, o, 2)
#else
#if EMAX == 3
#define HEAR_ANY(said,effect,n,o) HEAR(said, effect, n, o, 1) HEAR(said, effect, n, o, 2) HEAR(said, effect, n, o, 3)
#else
#define HEAR_ANY(said,effect,n,o) HEAR(said, effect, n, o, 1) HEAR(said, effect, n, o, 2) \
                                  HEAR(said, effect, n, o, 3) HEAR(said, effect, n, o, 4)
#endif
#endif
#if CANDIDATES == 2
#define ANY_HEARD(said,effect,o) if HEAR_ANY(said, effect, 0, o) HEAR_ANY(said, effect, 1, o) fi
#else
#define ANY_HEARD(said,effect,o) if HEAR_ANY(said, effect, 0, o) HEAR_ANY(said, effect, 1, o) HEAR_ANY(said, effect, 2, o) fi
#endif
#define WOULD_GRANT(v,s,o,e,acquire,dur) (quarantine[v] == 0 && \
    ((HELD_BY(v, s, o) && e >= granted[v] && (e > granted[v] || until[v] < dur || (!acquire && fresh[v]))) || \
     (until[v] == 0 && ABOVE_FLOOR(v, e, acquire)) || STEALS(v, s, e, acquire)))
#define WOULD_ACQUIRE(v,s,o,e) WOULD_GRANT(v, s, o, e, 1, TC)
#define WOULD_RENEW(v,s,o,e)   WOULD_GRANT(v, s, o, e, 0, T)

mtype = { TICK, CRASH, CAMPAIGN, GIVE_UP, RENEW_SELF, STOP, BUMP,
          ACQUIRE, RENEW, ACQUIRE_HIGHER, STALE_ACQUIRE, STALE_RENEW, RELEASE, CANCEL,
          ACK, ACK_HIGHER, CANCEL_BUMP };

#ifdef KEEP_NET
#define MATTERS(n) 1
#else
#define MATTERS(n) (role[n] == CANDIDATE || (role[n] == LEADER && MAY_EXTEND(n)))
#endif
#define CAN_TAKE_ACK(n,v,w) (HAS(NET(n, v), w) && ACKED(n, v) <= (w) && MATTERS(n))
#define CAN_TAKE_BUMP_ACK(n,v,w) (VALID(n) && HAS(BUMPNET(n, v), w) && (ACKED(n, v) <= (w) || !HAS(bumpAck[n], v)))
#define CAN_CANCEL_BUMP(n) (PENDING(n) > 0)

active proctype world() {
    mtype what;
    byte me, x, y;      /* who, and with whom or with what; `old`: of me's incarnation before the crash */
    bool old;
    do
    :: atomic {
        if
        :: what = TICK
#if DRIFT
        :: slow == 0 -> what = TICK; old = 1
#endif
        :: if WHO(CAN_CRASH, 0) WHO(CAN_CRASH, 1) WHO(CAN_CRASH, 2) fi; what = CRASH

        /* a node decides */
        :: ANY(WITH_EPOCH, CAN_CAMPAIGN); what = CAMPAIGN
        :: ANY(WHO, CAN_GIVE_UP);         what = GIVE_UP
        :: ANY(WHO, CAN_RENEW);           what = RENEW_SELF
        :: ANY(WHO, CAN_STOP);            what = STOP
#if BUMPS
        :: ANY(WITH_EPOCH, CAN_BUMP);     what = BUMP
#endif

        /* voter x takes a request of `me`; y is its age or its epoch */
        :: ANY(WITH_PEER, CAN_TAKE_ACQUIRE); what = ACQUIRE
        :: ANY(WITH_AGE, CAN_TAKE_RENEW);    what = RENEW
#if BUMPS
        :: ANY(WITH_AGE, CAN_TAKE_BUMP);     what = ACQUIRE_HIGHER
#endif
        :: ANY_HEARD(proposed, WOULD_ACQUIRE, 0); what = STALE_ACQUIRE
        :: ANY_HEARD(hasLed, WOULD_RENEW, 0);     what = STALE_RENEW
        :: ANY_HEARD(released, FREES, 0);         what = RELEASE
#if CANCELS
        :: ANY_HEARD(cancelled, CANCELS_IT, 0);   what = CANCEL
#endif
#if CRASHES
        :: ANY_HEARD(oldProposed, WOULD_ACQUIRE, 1); what = STALE_ACQUIRE; old = 1
        :: ANY_HEARD(oldLed, WOULD_RENEW, 1);        what = STALE_RENEW; old = 1
        :: ANY_HEARD(oldReleased, FREES, 1);         what = RELEASE; old = 1
#if CANCELS
        :: ANY_HEARD(oldCancelled, CANCELS_IT, 1);   what = CANCEL; old = 1
#endif
#endif

        /* `me` takes an acknowledgement by x worth y + 1; it may come again */
        :: ANY(WITH_AGE, CAN_TAKE_ACK);      what = ACK
#if BUMPS
        :: ANY(WITH_AGE, CAN_TAKE_BUMP_ACK); what = ACK_HIGHER
#endif
#ifdef M_BUMP_CANCELLED
        :: ANY(WHO, CAN_CANCEL_BUMP);        what = CANCEL_BUMP
#endif
        fi;
        d_step {
            /* what it does by itself, and whether it asks a vote or counts one */
            asks = 0; counts = 0; forBump = 0;
            if
            :: what == TICK -> tick(old)
            :: what == CRASH -> crash(me)
            :: what == CAMPAIGN -> campaign(me, x)
            :: what == GIVE_UP -> giveUp(me)
            :: what == STOP -> stop(me)
            :: what == RENEW_SELF -> ask(me, 0, me, epoch[me], 0, T)
            :: what == ACQUIRE -> ask(me, 0, x, epoch[me], 1, TC)
            :: what == RENEW -> ask(me, 0, x, epoch[me], 0, T)
            :: what == STALE_ACQUIRE -> ask(me, old, x, y, 1, TC)
            :: what == STALE_RENEW -> ask(me, old, x, y, 0, T)
            :: what == RELEASE ->
                printf("node %d hears that node %d released %d (said before the crash: %d)\n", x, me, y, old);
                voteReleased(x, me, old, y)
#if CANCELS
            :: what == CANCEL ->
                printf("node %d hears that node %d cancelled %d (said before the crash: %d)\n", x, me, y, old);
                voteCancelled(x, me, old, y)
#endif
            :: what == ACK -> counts = 1; voter = x; worth = y + 1
#if BUMPS
            :: what == BUMP -> bump(me, x)
            :: what == ACQUIRE_HIGHER -> ask(me, 0, x, pending[me], 1, T)
            :: what == ACK_HIGHER -> counts = 1; voter = x; worth = y + 1; forBump = 1
#endif
#ifdef M_BUMP_CANCELLED
            :: what == CANCEL_BUMP ->
                printf("node %d cancels its bump to %d\n", me, pending[me]);
                cancelled[me] = cancelled[me] | BIT(pending[me]);
                voteCancelled(me, me, 0, pending[me]); clearBump(me)
#endif
            fi;

            /* the voter's answer */
            if
            :: asks ->
                vote();
                if
                :: ok -> printf("node %d %e: node %d grants it epoch %d (the request is from before its crash: %d)\n",
                    asker, what, asked, asksFor, inc)
                :: else
                fi
            :: else
            fi;

            /* what comes of a grant: an acknowledgement under way, or one's own vote counted */
            if
            :: what == CAMPAIGN -> ACKED(me, me) = (ok || OWN_VOTE_COUNTS_ANYHOW -> CREDIT(TC) : 0)
            :: what == ACQUIRE && ok -> NET(me, x) = NET(me, x) | BIT(CANDIDACY(me) - 1)
            :: what == RENEW && ok -> NET(me, x) = NET(me, x) | BIT(WORTH(CREDIT(T), y) - 1)
            :: what == RENEW_SELF && ok -> counts = 1; voter = me; worth = CREDIT(T)
#if BUMPS
            :: what == BUMP && ok -> counts = 1; voter = me; worth = CREDIT(T); forBump = 1
            :: what == ACQUIRE_HIGHER && ok -> BUMPNET(me, x) = BUMPNET(me, x) | BIT(WORTH(CREDIT(T), y) - 1)
#endif
            :: else
            fi;
            if
            :: counts -> printf("node %d counts on node %d for %d ticks\n", me, voter, worth); credit()
            :: else
            fi;
            check();
            what = 0; me = 0; x = 0; y = 0; old = 0
        }
    }
    od
}
