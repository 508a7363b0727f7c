import type { Random } from './seeded.ts'

// What people write, in several scripts: few words all the time and most of them hardly ever.

interface Language {
  words: string[]
  /** Between words: nothing where none is written. */
  space: string
  /** What rare words are made of. */
  syllables: string[]
}

const spaced = (text: string): string[] => text.split(' ')

const languages: Language[] = [
  {
    words: spaced(
      "the order is not my please account help and I have it a refund when delivery thanks invoice don't can't password mail.example.com 12.50 #4711 e-mail user_name",
    ),
    syllables: spaced('ta re mi lo ku shen bra vi do ne fel gor pa'),
    space: ' ',
  },
  {
    words: spaced("où l'adresse est déjà à côté façade naïve garçon cœur ça été forêt Noël aujourd'hui"),
    syllables: spaced('é ré à ço ñu ü lâ ø šče ło ő'),
    space: ' ',
  },
  {
    words: spaced('Straße Grüße aus Köln groß weiß Bestellung nicht Überweisung STRASSE Maß Fuß'),
    syllables: spaced('ß ü ö ei schl rung st ver'),
    space: ' ',
  },
  {
    words: spaced('παραγγελία είναι Σίσυφος λόγος και δεν ΟΔΥΣΣΕΥΣ σας ευχαριστώ'),
    syllables: spaced('κα λό ση ρι ς άν'),
    space: ' ',
  },
  {
    words: spaced("заказ доставка спасибо ещё ёлка нет мой підʼїзд об'єкт счёт"),
    syllables: spaced('за ры щё йка ту ми'),
    space: ' ',
  },
  {
    words: spaced('طلب شُكْرًا فاتورة لا مـــرحبا أين إلى السلام'),
    syllables: spaced('با تر سن قل مي'),
    space: ' ',
  },
  { words: spaced('הזמנה שָׁלוֹם תודה לא צה"ל ג\'ירפה חשבון'), syllables: spaced('בא תר שנ קל מי'), space: ' ' },
  {
    words: spaced('สวัสดี ครับ คำสั่ง ซื้อ ไม่ ขอบคุณ น้ำ ทำงาน'),
    syllables: spaced('กา มี นำ ที่ คน'),
    space: '',
  },
  {
    words: spaced('订单 您好 退款 不 是 谢谢 发票 送货 密码 买'),
    syllables: spaced('东 西 山 水 天 龙'),
    space: '',
  },
  {
    words: spaced('注文 ありがとう カード ｶｰﾄﾞ が 返品 パスワード ください 東京'),
    syllables: spaced('か が パ ン し 京'),
    space: '',
  },
  {
    words: spaced('주문 감사합니다 배송 환불 안녕하세요 비밀번호 네'),
    syllables: spaced('가 나 각 한 주'),
    space: ' ',
  },
  {
    words: spaced('आदेश धन्यवाद नमस्ते हिन्दी क्या नहीं ज़रूर मैं'),
    syllables: spaced('का रि मू ने ह'),
    space: ' ',
  },
]

const rareWords = 120

/** Every language's words, those of all days first. */
const vocabularies = (random: Random) =>
  languages.map(({ words, syllables, space }) => ({
    space,
    words: [
      ...random.shuffled(words),
      ...Array.from({ length: rareWords }, () =>
        Array.from({ length: 2 + random.below(4) }, () => random.one(syllables)).join(''),
      ),
    ],
  }))

const oddities = [
  '👍🏽',
  '👩‍👩‍👧',
  '🇩🇪',
  '😀😀',
  '…',
  'x',
  'long'.repeat(10),
  `${'long'.repeat(10)}r`,
  'https://example.com/a_b?c=D',
  'U.S.A',
  "1'000",
  '½',
  '™',
  'a\u200Bb',
  'ﬁne',
]

const disguises: ((text: string) => string)[] = [
  (text) => text,
  (text) => text.toUpperCase(),
  (text) => text.normalize('NFD'),
  (text) => text.toLowerCase().normalize('NFKC'),
  (text) => `"${text}"!`,
  (text) => `👍${text}…`,
]

export interface Writing {
  /** Something of about so many words in one language. */
  text(words: number): string
  /** A word, as someone else may write it. */
  disguised(word: string): string
  /** Any word. */
  word(): string
}

/** What is written by one generator, in words that another one has made up. */
export const writing = (random: Random, vocabulary: Random): Writing => {
  const all = vocabularies(vocabulary)
  // English is everybody's second language here
  const spoken = () => (random.chance(0.5) ? all[0]! : random.one(all))
  return {
    text: (count) => {
      const { words, space } = spoken()
      const said = Array.from({ length: Math.max(1, count) }, () =>
        random.chance(0.04) ? ` ${random.one(oddities)} ` : random.zipf(words),
      )
      return random.one(disguises)(said.join(space))
    },
    disguised: (word) => random.one(disguises)(word),
    word: () => random.zipf(spoken().words),
  }
}
