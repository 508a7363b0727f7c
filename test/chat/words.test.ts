import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  folded,
  indexedWords,
  isIndexed,
  mostWordsOfEvent,
  wordsIn,
} from '../../shared/archive/index/words.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { expectProportional } from '../support/least-time.ts'

const same = (...texts: string[]) => {
  expect([...new Set(texts.map(folded))]).toEqual([folded(texts[0]!)])
}
const differ = (one: string, other: string) => {
  expect(folded(one)).not.toBe(folded(other))
}
/** As someone types who has no accents on the keyboard: not by way of the code under test. */
const withoutAccents = (text: string) =>
  text
    .normalize('NFD')
    .replaceAll(/[\u0300-\u036F]/g, '')
    .replaceAll(/[łđıŁĐ]/g, (letter) => ({ ł: 'l', đ: 'd', ı: 'i', Ł: 'L', Đ: 'D' })[letter] ?? letter)
    .normalize('NFC')

// what folding looks at, and what may become something else by it; and halves of surrogate pairs
const odd = [
  ...Array.from('abİIıßẞσςΣé\'’´`.:;_,"·-1290½ ™אבגש׳״жй年カかｶﾞ가각ᄀㄱㅏनกน\u0E33łæŉ＿（ﷺﬁ'),
  ...Array.from(
    '\u0301\u0316\u0344\u0345\u034F\u064B\u0640\u05C1\u093C\u093F\u094D\u0958\u09C7\u09BE\u0DD9\u0DCF\u0DCA\u0E4D\u0E48\u0E32\u0ECD\u0EC8\u0EB2',
  ),
  ...Array.from(
    '\u1161\u11A8\u3099\u309A\u200B\u200C\u200D\u00AD\u2060\uFE0F\uFEFF\u{1D165}\u{1D16E}\u{20BB7}',
  ),
  '\ud800',
  '\udc00',
]
const text = fc.oneof(
  fc.array(fc.constantFrom(...odd), { maxLength: 15 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
    .map((units) => String.fromCharCode(...units)),
)

describe('a folded text', () => {
  test('folds to itself, whatever it is', () => {
    fc.assert(
      fc.property(text, (given) => {
        const once = folded(given)
        expect(folded(once)).toBe(once)
        expect(wordsIn(once)).toEqual(wordsIn(given))
      }),
      { numRuns: 5000 },
    )
  })

  test('has no letter case, also where capitals are other letters', () => {
    same('Straße', 'STRASSE', 'STRAẞE', 'strasse')
    same('σίσυφος', 'ΣΊΣΥΦΟΣ', 'ΣΙΣΥΦΟΣ', 'σισυφοσ')
    same('İstanbul', 'istanbul', 'ISTANBUL', 'ıstanbul')
    same('ДА', 'да')
    same('ოქრო', 'ᲝᲥᲠᲝ')
  })

  test('has no accents, composed or not', () => {
    same('é', 'e\u0301', 'E', 'É')
    same('Việt', 'viet')
    same('Łódź', 'lodz')
    same('Đường', 'duong')
    same('cœur', 'coeur')
    same('smørrebrød', 'smorrebrod')
    same('ёлка', 'елка')
    // ä is not ae, as no accent is a letter
    differ('Müller', 'Mueller')
  })

  test('has no points that are left out as a rule, and no stretching', () => {
    same('שָׁלוֹם', 'שלום')
    same('كَتَبَ', 'كتب', 'كتـــب')
    same('أإآ', 'ااا')
  })

  test('keeps marks that are letters', () => {
    differ('か', 'が')
    differ('ハ', 'パ')
    differ('कि', 'की')
    differ('क्', 'क')
    differ('มา', 'ม้า')
    expect(folded('हिन्दी น้ำ นํ้า ນ້ຳ')).toBe('हिन्दी น้ำ น้ำ ນ້ຳ')
  })

  test('has one width, and one form of each letter', () => {
    same('ＡＢＣ１２', 'abc12')
    same('ｶﾞ', 'ガ', 'カ\u3099')
    same('ﬁne', 'fine')
    same('한글', '한글'.normalize('NFD'))
    same('①', '1️⃣', '1')
    // hiragana is not katakana
    differ('か', 'カ')
  })

  test('has none of the characters that are not seen, but the space that parts words', () => {
    same('ab', 'a\u00ADb', 'a\u2060b', 'a\uFEFFb', 'a\u200Eb', 'a\uFE0Fb')
    same('می\u200Cخواهم', 'میخواهم')
    same('क\u200Dष', 'कष')
    differ('a\u200Bb', 'ab')
  })

  test('has one apostrophe', () => {
    same("п'ять", 'п’ять', 'пʼять', 'п´ять', 'п`ять', 'п＇ять')
    same("ג'ירפה", 'ג׳ירפה')
    same('צה"ל', 'צה״ל', 'צה”ל')
  })
})

describe('the words of a text', () => {
  const words = (given: string) => wordsIn(given).join('|')

  test('are in order and repeat, of any length', () => {
    expect(words('To be, or not to be: a b')).toBe('to|be|or|not|to|be|a|b')
    expect(words(`x${'y'.repeat(50)} z`)).toBe(`x${'y'.repeat(50)}|z`)
    expect(words('')).toBe('')
    expect(words(' -- ?! 👍 🏳️‍🌈 🇩🇪 _ __ \' " \ud800')).toBe('')
  })

  test('have no quotes around them', () => {
    for (const quoted of [
      "'hello'",
      '‘hello’',
      '"hello"',
      '„hello“',
      '«hello»',
      '`hello`',
      "''hello'",
      "hello'",
    ])
      expect(words(quoted)).toBe('hello')
    expect(words("'שלום' רח׳")).toBe('שלום|רח')
    expect(words("'привіт'")).toBe('привіт')
  })

  test('end at an apostrophe that joins two', () => {
    expect(words("don't John’s")).toBe('don|t|john|s')
    expect(words("l'adresse d’abord qu´il c'è")).toBe('l|adresse|d|abord|qu|il|c|e')
    expect(words("İstanbul'da")).toBe('istanbul|da')
    // it belongs to the spelling here, and to the number
    expect(words("комп'ютер צ'אט 1'000")).toBe("комп'ютер|צ'אט|1'000")
  })

  test('end at what is none of their letters', () => {
    expect(words('snake_case __init__ _so_')).toBe('snake|case|init|so')
    expect(words('well-known e-mail foo\u2011bar')).toBe('well|known|e|mail|foo|bar')
    expect(words('total:price EU:s either/or')).toBe('total|price|eu|s|either|or')
    expect(words('Yes.No thanks…bye')).toBe('yes|no|thanks|bye')
    expect(words('hi😀there 👍ok I♥NY')).toBe('hi|there|ok|i|ny')
    expect(words('Acme™ Acme® #sale @joe C++')).toBe('acme|acme|sale|joe|c')
  })

  test('are the parts of addresses', () => {
    expect(words('joe.doe+tag@mail.example.com')).toBe('joe|doe|tag|mail|example|com')
    expect(words('https://www.example.com/a/orders?q=1#top')).toBe('https|www|example|com|a|orders|q|1|top')
    expect(words('node.js')).toBe('node|js')
    expect(words('U.S.A. e.g. v1.2.3 192.168.0.1')).toBe('u.s.a|e.g|v1.2.3|192.168.0.1')
  })

  test('are whole numbers, with their points, but not with dashes', () => {
    expect(words('12.50 12,50 1.234,56 50% $5 5kg')).toBe('12.50|12,50|1.234,56|50|5|5kg')
    expect(words('#48213 AB12CD34 AB-1234 4711/2024')).toBe('48213|ab12cd34|ab|1234|4711|2024')
    expect(words('2024-05-06 10:30 +49 170 123')).toBe('2024|05|06|10|30|49|170|123')
  })

  test('end where another script begins, in text of ideographs, kana and hangul', () => {
    expect(words('我的iPhone手机10元')).toBe('我的|iphone|手机|10|元')
    expect(words('ジョン・スミスさんのＩＤ')).toContain('ジョン|スミス')
    expect(words('iPhone을 샀어요ㅋㅋ')).toBe(folded('iphone|을|샀어요|ㅋㅋ'))
  })

  test('are the same by themselves as in their text', () => {
    const byDictionary = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u
    fc.assert(
      fc.property(text, (given) => {
        for (const word of wordsIn(given))
          if (!byDictionary.test(given.normalize('NFKC'))) expect(wordsIn(word)).toEqual([word])
      }),
      { numRuns: 5000 },
    )
  })
})

describe('a message is found by each of its words', () => {
  const found = (message: string, query: string) => {
    const [indexed, asked] = [new Set(indexedWords(message)), indexedWords(query)]
    return asked.length > 0 && asked.every((word) => indexed.has(word))
  }

  // as people see the words: by spaces
  test.for([
    ['English', 'Please send Order 48213 to my new address'],
    ['German', 'Die Größe der Schuhe gefällt mir außerordentlich, schöne Grüße'],
    ['French', 'La commande numéro 12 a été livrée où déjà, ma sœur'],
    ['Polish', 'Zażółć gęślą jaźń, proszę, w mieście Łódź'],
    ['Turkish', 'Siparişim Iğdır ve İzmir arasında kaldı, çünkü şubeniz kapalıydı'],
    ['Greek', 'Ο λογαριασμός μου είναι κλειδωμένος, παρακαλώ τους υπεύθυνους'],
    ['Russian', 'Ещё не пришёл мой заказ, куда он делся'],
    ['Ukrainian', "Мій комп'ютер не вмикається, п’ять хвилин чекаю"],
    ['Arabic', 'أُرِيدُ إلغاء الطلب رقم خمسة من فضلك'],
    ['Hebrew', 'שָׁלוֹם, אני רוצה לבטל את ההזמנה של צה״ל'],
    ['Hindi', 'मुझे अपना ऑर्डर रद्द करना है, कृपया मदद करें'],
    ['Korean', '주문을 취소하고 싶어요 빨리 환불해 주세요'],
    ['Vietnamese', 'Tôi muốn trả lại đơn hàng này, đường Nguyễn Huệ'],
  ])('of %s: in capitals, without accents, decomposed', ([, message]) => {
    const asked = message!.split(/[ ,]+/).filter((word) => word.length > 1)
    expect(asked.length).toBeGreaterThan(5)
    for (const word of asked) {
      const typed = [word, word.toUpperCase(), withoutAccents(word), withoutAccents(word).toUpperCase()]
      for (const query of [...typed, word.normalize('NFD')]) {
        // it is one word, and the only one where it is short
        expect(wordsIn(query)).toHaveLength(1)
        expect({ query, found: found(message!, query) }).toEqual({ query, found: true })
      }
    }
    expect(found(message!, message!.toUpperCase())).toBe(true)
    expect(found(message!, 'elsewhere')).toBe(false)
  })

  // Nothing parts these words; a dictionary does. It makes the same words of them when they come by
  // themselves
  test.for([
    ['Chinese', '我忘记了密码，登录不了账户', '密码 登录 账户 忘记'],
    ['traditional Chinese', '商品質量有問題想要換貨', '商品 質量 問題 換貨'],
    [
      'Japanese',
      '注文をキャンセルしたいのですが、返金の方法を教えてください',
      '注文 キャンセル ｷｬﾝｾﾙ 返金 方法',
    ],
    ['Thai', 'ขอเลขพัสดุคำสั่งซื้อหน่อยค่ะ สินค้ายังไม่มาส่ง', 'เลขพัสดุ พัสดุ คำสั่งซื้อ สินค้า ส่ง'],
    ['Khmer', 'ខ្ញុំចង់ទិញ', 'ខ្ញុំ ទិញ'],
  ])('of %s', ([, message, asked]) => {
    for (const word of wordsIn(message!)) expect(wordsIn(word)).toEqual([word])
    for (const query of asked!.split(' '))
      expect({ query, found: found(message!, query) }).toEqual({ query, found: true })
  })

  // Of 118 words that people would look up in sentences of support 8 are missed: parts of longer ones
  // (university in student), and those of a sentence parted elsewhere (开发/票, develop/ticket, for 开/发票,
  // write/invoice)
  test('but where a dictionary parts them differently than people do', () => {
    expect(wordsIn('能不能开发票')).toEqual(['能不能', '开发', '票'])
    expect(found('能不能开发票', '发票')).toBe(false)
    expect(found('请给我发票', '发票')).toBe(true)
    expect(found('北京大学生活动中心', '大学')).toBe(false)
    expect(found('クレジットカードが使えない', 'カード')).toBe(false)
  })
})

describe('indexed words', () => {
  test('are of 2 to 40 characters, or one digit, ideograph or Hangul syllable', () => {
    for (const word of [
      'ab',
      '12',
      'x'.repeat(40),
      '\u{1F100}'.repeat(40),
      '退',
      '\u{20BB7}',
      '〇',
      'が\u3042',
      ...['1', '٣', '집', '가', '힣'],
    ])
      expect(isIndexed(word)).toBe(true)
    for (const word of ['', 'a', 'x'.repeat(41), 'か', 'ㅋ', '\u1100', '½', '+', '\u{10400}', 'ก'])
      expect(isIndexed(word)).toBe(false)
  })

  test('are distinct, the first ones of a text', () => {
    expect(indexedWords('I saw the cat, THE Cát saw me')).toEqual(['saw', 'the', 'cat', 'me'])
    expect(indexedWords('a 退 👍')).toEqual(['退'])
    expect(indexedWords('C++ in room 5, #７ at 5:30 for 12.50 ± ① ☎')).toEqual([
      ...['in', 'room', '5', '7', 'at', '30', 'for', '12.50', '1'],
    ])
    expect(indexedWords('我要茶，不要绿茶')).toEqual(['我要', '茶', '不要', '绿茶'])
    expect(indexedWords('우리 집 집에')).toEqual(['우리', '집', '집에'])
    const many = Array.from({ length: 5000 }, (_, n) => `w${n}`)
    expect(indexedWords(many.join(' '))).toEqual(many.slice(0, mostWordsOfEvent))
    expect(indexedWords(many.slice(0, mostWordsOfEvent).join(' '))).toHaveLength(mostWordsOfEvent)
  })

  test('are found soon in the longest texts, whatever they are', () => {
    const bytes = 16 * 1024
    const of = (part: string) => part.repeat(Math.floor(bytes / new TextEncoder().encode(part).length))
    expect(wordsIn(of('a'))).toEqual([of('a')])
    expect(indexedWords(of('a'))).toEqual([])
    expect(wordsIn(of('\u0301'))).toEqual([])
    expect(wordsIn(of('\u0301\u0316'))).toEqual([])
    expect(wordsIn(of('a_'))).toHaveLength(bytes / 2)
  })

  // marks whose order normalization changes, what dictionaries part, and what belongs to its neighbours
  test.each([
    ...[
      'a',
      'a.',
      "a'",
      'a_',
      '_',
      ' ',
      '1,',
      '退',
      'あ',
      'ア',
      'ก',
      'กา',
      'ក',
      'က',
      'ກ',
      '각',
      '\u1100',
      '\u{1F1E6}',
    ],
    ...[
      '\u0301',
      '\u0315\u0300',
      '\u094D\u093C',
      '\u0E48\u0E38',
      '\u0EC8\u0EB8',
      '\u0F74\u0F72\u0F71',
      '\u3099\u094D',
    ],
    ...[
      '\u0E4D',
      '\u0E4D\u0E48',
      '\u05D0"',
      "\u05D0'",
      'Σ.',
      'İ',
      '👩‍👩‍👧',
      '\uFDFA',
      '\u00AD',
      'a\u093C',
      '\ud800',
    ],
  ])('are found in time in proportion to the text: of %j', (part) => {
    const of = (text: string) => (length: number) => {
      const whole = text.repeat(Math.floor(length / Buffer.byteLength(text)))
      return () => indexedWords(whole)
    }
    expectProportional(part, of(part), { beside: of('où est ma commande ? '), length: limits.textBytes })
  })

  test('are the same however many marks follow a letter, from the thirty-first on', () => {
    const marks = '\u094D\u093C'
    expect(wordsIn(`क${marks.repeat(15)}`)).toEqual(wordsIn(`क${marks.repeat(4000)}`))
    // those of two are of two units each
    const pairs = '\u{110BA}\u{11046}'
    expect(wordsIn(`क${pairs.repeat(15)}`)).toEqual(wordsIn(`क${pairs.repeat(2000)}`))
    for (const text of [`क${marks.repeat(20)}ख`, `क${'\u0F73'.repeat(30)}`, `${marks.repeat(15)}\u0E33`])
      expect(folded(folded(text))).toBe(folded(text))
  })
})
