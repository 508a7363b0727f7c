/**
 * Reads the lengths of a client's WebSocket frames off its bytes, as they come. `ws` gives whole
 * messages only, and the gateway limits frames too: 32 KiB each, 128 KiB together.
 */
export class FrameLengths {
  /** Data messages whose last frame began before the frame that was too long. */
  messages = 0
  readonly #maxBytes: number
  /** Bytes of the present frame's header so far: 2, 4 or 10 make its length known. */
  #seen = 0
  #first = 0
  #lengthBytes = 0
  #length = 0
  /** Bytes of mask and payload still to come before the next header. */
  #skip = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a frame that is too long begins in this chunk; what follows it is not looked at. */
  exceededBy(chunk: Uint8Array): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
        continue
      }
      if (this.#headerEndsWith(chunk[at] ?? 0) && this.#beginsTooLong()) return true
      at += 1
    }
    return false
  }

  #headerEndsWith(byte: number): boolean {
    this.#seen += 1
    if (this.#seen === 1) {
      this.#first = byte
      return false
    }
    if (this.#seen === 2) {
      const length = byte & 0x7f
      this.#lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0
      this.#length = this.#lengthBytes === 0 ? length : 0
    } else {
      this.#length = this.#length * 256 + byte
    }
    return this.#seen === 2 + this.#lengthBytes
  }

  #beginsTooLong(): boolean {
    const opcode = this.#first & 0x0f
    const isFinal = (this.#first & 0x80) !== 0
    this.#seen = 0
    this.#skip = 4 + this.#length
    if (this.#length > this.#maxBytes) return true
    if (isFinal && opcode < 8) this.messages += 1
    return false
  }
}
