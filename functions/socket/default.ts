import { refuseFrames } from '../../shared/request/parse-frame.ts'

/** `$default`: whatever no action's route takes, JSON or not, is answered with what is wrong about it. */
export const handler = refuseFrames()
