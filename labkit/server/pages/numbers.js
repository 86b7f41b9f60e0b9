// Numbers as labkit writes them: dollars with the digits that say something, times, counts.

const COUNT = new Intl.NumberFormat("en-US");

export function count(number) {
  return COUNT.format(number);
}

// Cents, or the first three digits that say something: 0.0000123, 0.0124, 4.20, 1,234.50.
export function usd(amount) {
  const whole = amount && Math.abs(amount) < 1 ? Math.min(12, 2 - Math.floor(Math.log10(Math.abs(amount)))) : 2;
  return new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: whole }).format(amount);
}

// The time that a moment in UTC has here.
export function moment(iso) {
  const when = new Date(iso);
  return Number.isNaN(when.getTime()) ? iso : when.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}
