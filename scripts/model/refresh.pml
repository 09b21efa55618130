/* The refresh protocol: processes that find their access token refused and refresh one sign-in, any of which may be killed
 * between any two steps; an authorization server that revokes the grant when a refresh token is used twice; a keychain and a
 * cache that may refuse a write.
 *
 * Refresh tokens are numbers: the server takes the newest only, and answers with the next. A comment that begins with @ names
 * the function of the program that a transition stands for; TestModelNamesFunctions looks for it.
 *
 *   run.sh        checks this model, and that it fails with each of the mistakes below
 *
 * Mistakes, each a macro: NO_LOCK, READ_BEFORE_LOCK, UNPARK_FIRST, PUBLISH_FIRST, OVERWRITE_PARKED, DEAD_AT_ONCE, NO_COOLDOWN,
 * LOCK_OUTLIVES.
 */
#define PROCESSES 3
#ifndef ROUNDS
#define ROUNDS    2 /* how often each finds its token refused */
#endif
#ifndef KILLS
#define KILLS     1 /* at most so many processes are killed */
#endif
#ifndef FAILURES
#define FAILURES  1 /* at most so many writes fail */
#endif

byte newest = 1;    /* the refresh token that the server takes */
bool revoked;       /* it has seen one twice */

byte chain = 1;     /* the refresh token in the keychain */
byte parked[2];     /* those in the two sealed files; 0: none, or not whole */
byte token = 1;     /* the number of the cached access token */
bool dead;          /* the sign-in is marked as ended */
bool offered;       /* somebody was asked to sign in, less than a cooldown ago */
byte offers;

bool elsewhere;     /* another machine with the same keychain has replaced the refresh token; the server forgives one use of the old one */

bool locked;        /* the lock of the sign-in */
bool window;        /* a process was killed with the only copy of a refresh token, or its answer was lost */
bool inWindow;      /* a process has such a copy now */
byte kills, failures;

inline unlock() {
	locked = false
}

/* A killed process leaves its locks to the kernel. */
inline maybeKilled() {
	if
	:: kills < KILLS ->
		kills++;
#ifndef LOCK_OUTLIVES
		unlock();
#endif
		goto gone
	:: true
	fi
}

inline open(rt, slot) {
	/* @ helper/grant.go withParked: the parked token counts while the keychain has one that it has replaced; of two the last */
	atomic {
		rt = chain; slot = 0;
		if :: parked[0] > rt -> rt = parked[0]; slot = 1 :: else fi;
		if :: parked[1] > rt -> rt = parked[1]; slot = 0 :: else fi
	}
}

proctype Refresh() {
	byte refused, rt, slot, last, fresh, round;
	bool safe, again;

start:
	refused = token; /* the server has just refused it */
#ifdef READ_BEFORE_LOCK
	open(rt, slot);
#endif
	/* @ helper/refresh.go locked: one process at a time */
#ifndef NO_LOCK
	atomic { !locked -> locked = true };
#endif
	maybeKilled();

	/* @ helper/refresh.go refreshLocked: a sibling may have done it meanwhile */
	if
	:: token != refused -> unlock(); goto done
	:: else
	fi;
	/* @ helper/refresh.go hopeless: what has ended is not tried */
	if
	:: dead -> unlock(); goto ask
	:: else
	fi;

spend:
	/* @ helper/grant.go open: the keychain is read under the lock */
#ifndef READ_BEFORE_LOCK
	open(rt, slot);
#endif
#ifdef OVERWRITE_PARKED
	slot = 0;
#endif
	/* @ cache/parked.go Take: the file has its place, empty, before anything is spent; what was there is not needed */
	parked[slot] = 0;
	maybeKilled();
	if
	:: again && rt == last -> /* @ helper/refresh.go failed: the current refresh token is refused: the sign-in has ended */
		dead = true;
		assert(window); /* nothing but a loss in the window brings that about */
		unlock(); goto ask
	:: else
	fi;
	/* @ helper/refresh.go spend: one token request */
	atomic {
		if
		:: !revoked && rt == newest -> newest++; fresh = newest; inWindow = true
		:: (revoked || rt != newest) && elsewhere -> elsewhere = false; fresh = 0
		:: (revoked || rt != newest) && !elsewhere ->
			assert(window); /* no refresh token is spent twice */
			revoked = true; fresh = 0
		fi
	}
	if
	:: fresh == 0 ->
		last = rt; again = true;
#ifdef DEAD_AT_ONCE
		dead = true; assert(window); unlock(); goto ask;
#endif
		goto spend
	:: else
	fi;
	if /* killed here, or the answer is lost on its way: the one loss that nobody can prevent */
	:: kills < KILLS -> atomic { kills++; window = true; inWindow = false; unlock() }; goto gone
	:: true
	fi;
#ifdef PUBLISH_FIRST
	token++; unlock();
#endif

keep:
	/* @ cache/parked.go Put: one write and one fsync */
	if
	:: atomic { parked[slot] = fresh; safe = true; inWindow = false }
	:: failures < FAILURES -> failures++
	fi;
	if
	:: kills < KILLS -> atomic { kills++; if :: !safe -> window = true; inWindow = false :: else fi; unlock() }; goto gone
	:: true
	fi;
#ifdef UNPARK_FIRST
	parked[slot] = 0;
	maybeKilled();
#endif
	/* @ helper/grant.go save: the keychain gets it, or refuses */
	if
	:: atomic { chain = fresh; safe = true; inWindow = false }; maybeKilled();
		/* @ cache/parked.go DropAll: what is parked goes, one file after the other */
		parked[0] = 0; maybeKilled(); parked[1] = 0
	:: failures < FAILURES -> failures++
	fi;
	/* @ helper/grant.go persist: whoever has the only copy goes on trying */
	if
	:: !safe -> goto keep
	:: else
	fi;
	maybeKilled();
#ifndef PUBLISH_FIRST
	/* @ helper/refresh.go refreshed: the access token is where everybody finds it */
	token++;
	maybeKilled();
	unlock();
#endif
done:
	atomic { round++; safe = false; again = false; last = 0; rt = 0; slot = 0; fresh = 0 };
	if :: round < ROUNDS -> goto start :: else -> goto gone fi;

ask:
	/* @ helper/offerlimit.go claim: one offer in each cooldown, whoever needs it */
#ifdef NO_COOLDOWN
	offers++;
#else
	atomic { if :: !offered -> offered = true; offers++ :: else fi };
#endif
gone:
	skip
}

/* A person who signs in ends what was: a new grant, under the same lock. */
proctype Login() {
#ifndef NO_LOCK
	atomic { !locked -> locked = true };
#endif
	if
	:: dead || revoked ->
		/* @ helper/approval.go store: the keychain first, then what was parked goes */
		atomic { newest++; revoked = false; chain = newest; window = false; elsewhere = false };
		maybeKilled();
		parked[0] = 0; parked[1] = 0;
		dead = false; token++
	:: else
	fi;
	unlock();
gone:
	skip
}

/* A machine with the same keychain and locks of its own refreshes. Two at the very same time are beyond any lock of ours. */
proctype Elsewhere() {
	if
	:: atomic { !revoked && chain == newest && parked[0] < newest && parked[1] < newest && !inWindow -> newest++; chain = newest; elsewhere = true }
	:: true
	fi
}

init {
	byte i;
	atomic {
		for (i : 1 .. PROCESSES) { run Refresh() }
		run Login();
		run Elsewhere()
	}
	/* when all have ended */
	_nr_pr == 1;
	assert(offers <= 1);
	assert(!locked);
	/* no rotation is lost outside of the window: the newest whole refresh token is the one that the server takes */
	assert(window || revoked || chain == newest || parked[0] == newest || parked[1] == newest);
}
