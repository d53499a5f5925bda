// Icons of 24 × 24 units, as paths of 2 units' width.

export const CLOSE = "M6 6l12 12M18 6L6 18";
export const SEND = "M12 19V5M5 12l7-7 7 7";
export const STOP = "M8 8h8v8H8zM9 11h6M9 13h6";
export const COPY = "M9 9h11v11H9zM15 5V4H4v11h1";
export const CHECK = "M4 12l6 6L20 7";
export const AGAIN = "M20 11a8 8 0 1 0-2 6M20 5v6h-6";
