package phrase

// lexicons has the languages that are read, by their ISO 639-1 codes. The tables have the words that Todoist's own examples use.
// A language that is not here is reported, unless the phrase is English or a date in figures.
var lexicons = map[string]lexicon{
	English: newLexicon(englishTable), "de": newLexicon(germanTable), "fr": newLexicon(frenchTable), "es": newLexicon(spanishTable),
	"it": newLexicon(italianTable), "pt": newLexicon(portugueseTable), "nl": newLexicon(dutchTable), "ja": newLexicon(japaneseTable),
}

const germanTable = `
every: jeden, jede, jedes, jeder, alle
hour: Stunde, Stunden, Minute, Minuten
day: Tag, Tage, Tagen
week: Woche, Wochen
month: Monat, Monate, Monaten
quarter: Quartal, Quartale, Quartalen
year: Jahr, Jahre, Jahren
daily: täglich, taeglich
weekly: wöchentlich, woechentlich
monthly: monatlich
quarterly: vierteljährlich
yearly: jährlich, jaehrlich
workday: Werktag, Arbeitstag, Wochentag
workdays: werktags, wochentags
weekend: Wochenende
monday: Montag, Mo
mondays: montags
tuesday: Dienstag, Di
tuesdays: dienstags
wednesday: Mittwoch, Mi
wednesdays: mittwochs
thursday: Donnerstag, Do
thursdays: donnerstags
friday: Freitag, Fr
fridays: freitags
saturday: Samstag, Sonnabend, Sa
saturdays: samstags
sunday: Sonntag, So
sundays: sonntags
january: Januar, Jänner, Jan
february: Februar, Feb
march: März, Maerz, Mär, Mrz
april: April, Apr
may: Mai
june: Juni, Jun
july: Juli, Jul
august: August, Aug
september: September, Sept, Sep
october: Oktober, Okt
november: November, Nov
december: Dezember, Dez
first: erste, ersten, erster, erstes
second: zweite, zweiten, zweiter, zweites
third: dritte, dritten, dritter, drittes
fourth: vierte, vierten, vierter, viertes
last: letzte, letzten, letzter, letztes
one: ein, eine, einem, einer
two: zwei
three: drei
four: vier
five: fünf
six: sechs
filler: am, an, den, dem, der, des, im
and: und
to: bis
at: um
starting: ab, ab dem, beginnend am, von, vom, seit
until: bis, bis zum, bis einschließlich
during: für, fuer
times: mal
today: heute
tomorrow: morgen
overmorrow: übermorgen, uebermorgen
yesterday: gestern
next: nächste, nächsten, nächster, nächstes, kommende, kommenden
this: diese, diesen, dieser, dieses
in: in
after: nach
noon: Mittag, mittags
midnight: Mitternacht
morning: Morgen, morgens
afternoon: Nachmittag, nachmittags
evening: Abend, abends
night: Nacht, nachts
no date: kein Datum, ohne Datum
month end: Ende des Monats, Monatsende
middle: Mitte
o'clock: Uhr
of month: des Monats, im Monat
`

const frenchTable = `
every: chaque, tous les, toutes les
hour: heure, heures, minute, minutes
day: jour, jours
week: semaine, semaines
month: mois
quarter: trimestre, trimestres
year: an, ans, année, années
daily: quotidiennement, quotidien
weekly: hebdomadaire
monthly: mensuel, mensuellement
quarterly: trimestriel
yearly: annuel, annuellement
workday: jour ouvrable, jours ouvrables, jour de semaine, jours de semaine
weekend: week-end, week-ends, weekend
monday: lundi, lundis, lun
tuesday: mardi, mardis, mar
wednesday: mercredi, mercredis, mer
thursday: jeudi, jeudis, jeu
friday: vendredi, vendredis, ven
saturday: samedi, samedis, sam
sunday: dimanche, dimanches, dim
january: janvier, janv, jan
february: février, févr, fév
march: mars
april: avril, avr
may: mai
june: juin
july: juillet, juil
august: août
september: septembre, sept, sep
october: octobre, oct
november: novembre, nov
december: décembre, déc
first: premier, première
second: deuxième, second, seconde
third: troisième
fourth: quatrième
last: dernier, dernière
one: un, une
two: deux
three: trois
four: quatre
five: cinq
six: six
filler: le, la, les
and: et
to: au
at: à
starting: à partir du, à partir de, à compter du, dès le, du
until: jusqu'au, jusqu'à
during: pendant
times: fois
today: aujourd'hui
tomorrow: demain
overmorrow: après-demain
yesterday: hier
next: prochain, prochaine
this: ce, cette
in: dans
after: après
noon: midi
midnight: minuit
morning: matin, matins
afternoon: après-midi
evening: soir, soirs
night: nuit, nuits
no date: pas de date, sans date
month end: fin du mois, fin de mois
middle: mi
o'clock: heures, heure, h
of month: du mois, de chaque mois
`

const spanishTable = `
every: cada, todos los, todas las
hour: hora, horas, minuto, minutos
day: día, días
week: semana, semanas
month: mes, meses
quarter: trimestre, trimestres
year: año, años
daily: diariamente, a diario
weekly: semanalmente, semanal
monthly: mensualmente, mensual
quarterly: trimestralmente, trimestral
yearly: anualmente
workday: día laborable, días laborables, día hábil, días hábiles, día de semana, días de semana
weekend: fin de semana, fines de semana
monday: lunes, lun
tuesday: martes, mar
wednesday: miércoles, mié
thursday: jueves, jue
friday: viernes, vie
saturday: sábado, sábados, sáb
sunday: domingo, domingos, dom
january: enero, ene
february: febrero, feb
march: marzo, mar
april: abril, abr
may: mayo, may
june: junio, jun
july: julio, jul
august: agosto, ago
september: septiembre, setiembre, sept, sep
october: octubre, oct
november: noviembre, nov
december: diciembre, dic
first: primer, primero, primera
second: segundo, segunda
third: tercer, tercero, tercera
fourth: cuarto, cuarta
last: último, última
one: un, una
two: dos
three: tres
four: cuatro
five: cinco
six: seis
filler: el, la, los, las, de, del
and: y, e
at: a las, a la
starting: a partir de, a partir del, desde, desde el, empezando, empezando el
until: hasta, hasta el
during: durante, por
times: veces
today: hoy
tomorrow: mañana
overmorrow: pasado mañana
yesterday: ayer
next: próximo, próxima
this: este, esta
in: en, dentro de
after: después de
noon: mediodía
midnight: medianoche
morning: mañana, mañanas
afternoon: tarde, tardes
night: noche, noches
no date: sin fecha
month end: fin de mes, final de mes
middle: mediados de
of month: del mes, de cada mes
`

const italianTable = `
every: ogni, tutti i, tutte le
hour: ora, ore, minuto, minuti
day: giorno, giorni
week: settimana, settimane
month: mese, mesi
quarter: trimestre, trimestri
year: anno, anni
daily: quotidianamente, giornalmente
weekly: settimanalmente, settimanale
monthly: mensilmente, mensile
quarterly: trimestrale
yearly: annualmente, annuale
workday: giorno feriale, giorni feriali, giorno lavorativo, giorni lavorativi
weekend: weekend, fine settimana
monday: lunedì, lun
tuesday: martedì, mar
wednesday: mercoledì, mer
thursday: giovedì, gio
friday: venerdì, ven
saturday: sabato, sabati, sab
sunday: domenica, domeniche, dom
january: gennaio, gen
february: febbraio, feb
march: marzo, mar
april: aprile, apr
may: maggio, mag
june: giugno, giu
july: luglio, lug
august: agosto, ago
september: settembre, set
october: ottobre, ott
november: novembre, nov
december: dicembre, dic
first: primo, prima
second: secondo, seconda
third: terzo, terza
fourth: quarto, quarta
last: ultimo, ultima
one: un, una
two: due
three: tre
four: quattro
five: cinque
six: sei
filler: il, lo, la, i, gli, le, di, del, nel
and: e, ed
to: al
at: alle, alle ore
starting: dal, a partire dal, a partire da
until: fino al, fino a
during: per
times: volte
today: oggi
tomorrow: domani
overmorrow: dopodomani
yesterday: ieri
next: prossimo, prossima
this: questo, questa
in: tra, fra, in
after: dopo
noon: mezzogiorno
midnight: mezzanotte
morning: mattina, mattino
afternoon: pomeriggio
evening: sera
night: notte
no date: nessuna data, senza data
month end: fine mese, fine del mese
middle: metà
of month: del mese, di ogni mese
`

const portugueseTable = `
every: cada, a cada, todo, toda, todos os, todas as
hour: hora, horas, minuto, minutos
day: dia, dias
week: semana, semanas
month: mês, meses
quarter: trimestre, trimestres
year: ano, anos
daily: diariamente
weekly: semanalmente
monthly: mensalmente
quarterly: trimestralmente
yearly: anualmente
workday: dia útil, dias úteis, dia de semana, dias de semana
weekend: fim de semana, fins de semana
monday: segunda, segundas, segunda-feira, segundas-feiras, seg
tuesday: terça, terças, terça-feira, terças-feiras, ter
wednesday: quarta, quartas, quarta-feira, quartas-feiras, qua
thursday: quinta, quintas, quinta-feira, quintas-feiras, qui
friday: sexta, sextas, sexta-feira, sextas-feiras, sex
saturday: sábado, sábados, sáb
sunday: domingo, domingos, dom
january: janeiro, jan
february: fevereiro, fev
march: março, mar
april: abril, abr
may: maio, mai
june: junho, jun
july: julho, jul
august: agosto, ago
september: setembro, set
october: outubro, out
november: novembro, nov
december: dezembro, dez
first: primeiro, primeira
second: segundo
third: terceiro, terceira
fourth: quarto
last: último, última
one: um, uma
two: dois, duas
three: três
four: quatro
five: cinco
six: seis
filler: o, os, de, do, da, no, na
and: e
at: às, à, as
starting: a partir de, desde, começando em
until: até
during: durante, por
times: vezes
today: hoje
tomorrow: amanhã
overmorrow: depois de amanhã
yesterday: ontem
next: próximo, próxima
this: este, esta
in: em, daqui a
after: depois de, após
noon: meio-dia
midnight: meia-noite
morning: manhã, manhãs
afternoon: tarde, tardes
night: noite, noites
no date: sem data
month end: fim do mês, fim de mês
middle: meados de
of month: do mês, de cada mês
`

const dutchTable = `
every: elke, elk, iedere, ieder, om de
hour: uur, uren, minuut, minuten
day: dag, dagen
week: week, weken
month: maand, maanden
quarter: kwartaal, kwartalen
year: jaar, jaren
daily: dagelijks
weekly: wekelijks
monthly: maandelijks
quarterly: per kwartaal
yearly: jaarlijks
workday: werkdag, doordeweekse dag
workdays: werkdagen
weekend: weekend, weekeinde
monday: maandag, ma
tuesday: dinsdag, di
wednesday: woensdag, wo
thursday: donderdag, do
friday: vrijdag, vr
saturday: zaterdag, za
sunday: zondag, zo
january: januari, jan
february: februari, feb
march: maart, mrt
april: april, apr
may: mei
june: juni, jun
july: juli, jul
august: augustus, aug
september: september, sept, sep
october: oktober, okt
november: november, nov
december: december, dec
first: eerste
second: tweede
third: derde
fourth: vierde
last: laatste
one: een
two: twee
three: drie
four: vier
five: vijf
six: zes
filler: op, de, het, van
and: en
to: tot
at: om
starting: vanaf, beginnend op
until: tot en met, t/m
during: gedurende
times: keer
today: vandaag
tomorrow: morgen
overmorrow: overmorgen
yesterday: gisteren
next: volgende, komende
this: deze, dit
in: over
after: na
midnight: middernacht
morning: ochtend, morgen
afternoon: middag
evening: avond
night: nacht
no date: geen datum
month end: einde van de maand, eind van de maand
middle: half
o'clock: uur
of month: van de maand, van elke maand
`

// japaneseTable has whole phrases only: Japanese writes no blanks between words.
const japaneseTable = `
daily: 毎日
weekly: 毎週
monthly: 毎月
yearly: 毎年
workdays: 平日
today: 今日
tomorrow: 明日
no date: 日付なし
`
