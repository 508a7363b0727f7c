import {
  answersAreForThoseWithAccess,
  nothingForeign,
  nothingHidden,
  pushesAreForThoseWithAccess,
} from './check-access.ts'
import { answeredOnce, loggedOutIsOver, nothingRunsOn, nothingUnheard } from './check-answers.ts'
import {
  activeListIsRight,
  waitingListIsRight,
  loadsAreRight,
  nothingLeftBehind,
  presenceIsRight,
  probesReachAll,
  statusIsTold,
} from './check-end.ts'
import { customersAreEvents, eventsAreWanted, eventsCoverPushes } from './check-events.ts'
import { followersHoldAll } from './check-followers.ts'
import {
  answeredAreStored,
  authorsWereIn,
  oneActiveThread,
  orderIsRealTime,
  ordersAreWhole,
  refusedAreNotStored,
  storedOnce,
} from './check-log.ts'
import { tagsAreKept } from './check-tags.ts'
import { floodsAreHeld, honestAreServed } from './check-floods.ts'
import type { Check, Finding, History } from './history.ts'

const checks: readonly Check[] = [
  answeredAreStored,
  storedOnce,
  refusedAreNotStored,
  ordersAreWhole,
  oneActiveThread,
  orderIsRealTime,
  authorsWereIn,
  tagsAreKept,
  answeredOnce,
  loggedOutIsOver,
  nothingRunsOn,
  nothingUnheard,
  answersAreForThoseWithAccess,
  pushesAreForThoseWithAccess,
  nothingForeign,
  nothingHidden,
  presenceIsRight,
  statusIsTold,
  activeListIsRight,
  waitingListIsRight,
  loadsAreRight,
  nothingLeftBehind,
  followersHoldAll,
  eventsCoverPushes,
  customersAreEvents,
  eventsAreWanted,
  probesReachAll,
  honestAreServed,
  floodsAreHeld,
]

/** Holds the promises of the design against everything that a run saw. */
export const check = (history: History): Finding[] => checks.map((one) => one(history))
