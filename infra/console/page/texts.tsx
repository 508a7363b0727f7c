/** A text with its web addresses as links; everything else stays text. */
export const Linked = ({ text }: { text: string }) => (
  <>
    {text.split(/(https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]])/u).map((part, index) =>
      // every second part is what the expression has found
      index % 2 === 1 && URL.canParse(part) ? (
        <a key={index} href={part} target="_blank" rel="noopener noreferrer nofollow">
          {part}
        </a>
      ) : (
        part
      ),
    )}
  </>
)

const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false })
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })
const full = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

const isToday = (date: Date): boolean => date.toDateString() === new Date().toDateString()

/** A time in Unix seconds, as short as it can be. */
export const Time = ({ at }: { at: number }) => {
  const date = new Date(at * 1000)
  return (
    <time dateTime={date.toISOString()} title={full.format(date)}>
      {(isToday(date) ? time : day).format(date)}
    </time>
  )
}

export const dayAndTime = (at: number): string => full.format(new Date(at * 1000))
