import "clawless-widget";
import { useEffect, useRef } from "react";

export function Chat({ theme }) {
  const chat = useRef(null);
  useEffect(() => {
    const element = chat.current;
    const report = (event) => console.log(event.detail.role, event.detail.text);
    element.on("message", report);
    return () => element.off("message", report);
  }, []);
  return <clawless-chat ref={chat} data-api="https://chat.example.com" data-key="cl_pk_…" data-theme={theme} />;
}
